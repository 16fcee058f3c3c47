// Processes with a GPU each, joined by NCCL: sums by exchange of slices, added in order of rank.
//
// ncclAllReduce adds in an order that depends on its algorithm, which it chooses by the machine. So
// the sum is made here, as for the host's memory (mpi_communicator.cpp): of a block of n·W values
// process r receives everybody's slice r, adds them up in order of rank, and hands the result to
// all: 2·(W−1)/W of the block go out from each process, as much as in a ring of ncclAllReduce.
// All of it is work in the stream. NCCL's id and everything else that is said go through MPI.
//
// The communicator is not blocking: a call that cannot go on because another process is gone is
// seen by asking NCCL, and ended by ncclCommAbort, which no call that waits could do.
#include "autograd/communicator.h"
#include "tensor/error.h"

#if INK_CUDA
#include "cuda/stream.h"
#endif

#ifdef INK_WITH_NCCL
#include <nccl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <exception>
#include <thread>
#include <utility>

#include "tensor/flat.h"
#endif

namespace ink {

void take_own_device() {
#if INK_CUDA
  const std::optional<Launch> launch = launched_by_mpi();
  if (launch && launch->size > 1) cuda::choose_device(launch->local);
#endif
}

#ifdef INK_WITH_NCCL
namespace {

constexpr int64_t kBlock = int64_t{1} << 24;  // values exchanged at a time: 64 MiB

// NCCL would refuse it too, but in words of its own.
void check_own_device(Communicator& processes) {
  char host[256] = {};
  gethostname(host, sizeof host - 1);
  const cuda::Properties& device = cuda::properties();
  const std::vector<std::string> places = processes.gather(device.address + " of " + host);
  for (size_t r = 1; r < places.size(); ++r) {
    const auto first = static_cast<size_t>(std::ranges::find(places, places[r]) - places.begin());
    check(first == r, "processes: ", first, " and ", r, " have the same GPU (", places[r],
          "), and NCCL joins processes with one each; start no more of them on a machine than it "
          "has GPUs (CUDA_VISIBLE_DEVICES hides some), or build with -DINK_NCCL=OFF");
  }
}

class DeviceProcesses final : public Communicator {
 public:
  explicit DeviceProcesses(std::unique_ptr<Communicator> processes)
      : processes_(std::move(processes)) {
    check_own_device(*processes_);
    ncclUniqueId id = {};
    std::string text;
    if (is_first()) {
      expect(ncclGetUniqueId(&id), "making an id");
      text.assign(id.internal, sizeof id.internal);
    }
    text = from_first(*processes_, text);
    check(text.size() == sizeof id.internal, "processes: the first one sent no id of NCCL");
    std::memcpy(id.internal, text.data(), text.size());
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    expect(ncclCommInitRankConfig(&joined_, size(), id, rank(), &config), "joining the GPUs");
  }
  // After an error the others may never come to this point.
  ~DeviceProcesses() override {
    if (!joined_) return;
    if (std::uncaught_exceptions() > 0) {
      ncclCommAbort(joined_);
      return;
    }
    if (settled(ncclCommFinalize(joined_)) == ncclSuccess) {
      ncclCommDestroy(joined_);
    } else {
      ncclCommAbort(joined_);
    }
  }
  DeviceProcesses(const DeviceProcesses&) = delete;
  DeviceProcesses& operator=(const DeviceProcesses&) = delete;

  int rank() const override { return processes_->rank(); }
  int size() const override { return processes_->size(); }
  int here() const override { return processes_->here(); }
  bool joins_devices() const override { return true; }
  void sum(std::span<float> values) override { processes_->sum(values); }
  std::vector<std::string> gather(const std::string& mine) override {
    return processes_->gather(mine);
  }

  void sum(Tensor& values) override {
    const int64_t W = size(), n = values.size(), block = kBlock / (4 * W) * (4 * W);
    check(values.device() == Device::cuda && values.is_contiguous() && n % (4 * W) == 0,
          "processes: expected a contiguous tensor on cuda, of a multiple of ", 4 * W,
          " elements, got ", values.shape());
    look();
    float* const data = values.data<float>();
    Tensor theirs({std::min(block, n)}, Dtype::f32, Device::cuda);
    for (int64_t begin = 0; begin < n; begin += block)
      sum_block(data + begin, std::min(block, n - begin), theirs.data<float>());
    values.touch();
  }

 private:
  void sum_block(float* block, int64_t n, float* theirs) {
    const int64_t slice = n / size();
    const auto count = static_cast<size_t>(slice);
    float* const mine = block + rank() * slice;
    expect(ncclGroupStart(), "exchanging slices");
    for (int r = 0; r < size(); ++r) {
      if (r == rank()) continue;
      expect(ncclSend(block + r * slice, count, ncclFloat, r, joined_, cuda::stream()),
             "sending slices");
      expect(ncclRecv(theirs + r * slice, count, ncclFloat, r, joined_, cuda::stream()),
             "receiving slices");
    }
    expect(ncclGroupEnd(), "exchanging slices");
    add_in_order(mine, theirs, rank(), size(), slice);
    expect(ncclAllGather(mine, block, count, ncclFloat, joined_, cuda::stream()), "gathering sums");
  }

  // The status of a call once NCCL has done with it.
  ncclResult_t settled(ncclResult_t status) {
    constexpr std::chrono::microseconds kPause(50);
    while (status == ncclInProgress) {
      const ncclResult_t asked = ncclCommGetAsyncError(joined_, &status);
      if (asked != ncclSuccess) status = asked;
      if (status == ncclInProgress) std::this_thread::sleep_for(kPause);
    }
    return status;
  }

  void expect(ncclResult_t status, const char* doing) {
    status = settled(status);
    if (status == ncclSuccess) return;
    const std::string said = joined_ ? ncclGetLastError(joined_) : "";
    if (joined_) ncclCommAbort(std::exchange(joined_, nullptr));
    fail("processes: ", doing, ": NCCL says ", ncclGetErrorString(status),
         said.empty() ? "" : " (" + said + ")",
         "; another process has most likely ended: look for its message, and resume from the last "
         "checkpoint");
  }

  // An Error that is on its way already says enough.
  void look() {
    if (std::uncaught_exceptions() > 0) return;
    check(joined_, "processes: the GPUs are no longer joined, an exchange has failed before");
    ncclResult_t status = ncclSuccess;
    expect(ncclCommGetAsyncError(joined_, &status), "asking for errors");
    if (status != ncclInProgress) expect(status, "exchanging gradients");
  }

  std::unique_ptr<Communicator> processes_;
  ncclComm_t joined_ = nullptr;
  cuda::WatchScope watch_{[this] { look(); }};
};

}  // namespace

std::unique_ptr<Communicator> join_devices(std::unique_ptr<Communicator> processes) {
  if (processes->size() == 1) return processes;
  return std::make_unique<DeviceProcesses>(std::move(processes));
}

#else

std::unique_ptr<Communicator> join_devices(std::unique_ptr<Communicator> processes) {
  return processes;
}

#endif

}  // namespace ink
