// Processes joined by MPI: sums by exchange of slices, added in order of rank; texts by Allgatherv.
//
// MPI_Allreduce may add in any order, so the sum is made here. Of a block of n·W values process r
// receives everybody's slice r (Alltoall), adds them up in order of rank, and hands the result to
// all (Allgather): 2·(W−1)/W of the block go out from each process, as little as any way needs.
#include "autograd/communicator.h"
#include "tensor/error.h"

#ifdef INK_WITH_MPI
#include <mpi.h>

#include <algorithm>
#include <climits>
#include <cstdint>
#include <exception>
#include <numeric>
#endif

namespace ink {

#ifdef INK_WITH_MPI
namespace {

constexpr size_t kBlock = size_t{1} << 22;  // values exchanged at a time: 16 MiB

class MpiCommunicator final : public Communicator {
 public:
  MpiCommunicator() {
    MPI_Init(nullptr, nullptr);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
    MPI_Comm machine = MPI_COMM_NULL;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &machine);
    MPI_Comm_size(machine, &here_);
    MPI_Comm_free(&machine);
  }
  // An error leaves MPI as it is, for end_processes: to finish would be to wait for the others.
  ~MpiCommunicator() override {
    if (std::uncaught_exceptions() == 0) MPI_Finalize();
  }
  MpiCommunicator(const MpiCommunicator&) = delete;
  MpiCommunicator& operator=(const MpiCommunicator&) = delete;

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  int here() const override { return here_; }

  void sum(std::span<float> values) override {
    for (size_t begin = 0; begin < values.size(); begin += kBlock)
      sum_block(values.subspan(begin, std::min(kBlock, values.size() - begin)));
  }

  std::vector<std::string> gather(const std::string& mine) override {
    check(mine.size() <= INT_MAX, "processes: a text of ", mine.size(),
          " bytes is too long to send");
    const int length = static_cast<int>(mine.size());
    std::vector<int> lengths(static_cast<size_t>(size_)), starts(lengths.size());
    MPI_Allgather(&length, 1, MPI_INT, lengths.data(), 1, MPI_INT, MPI_COMM_WORLD);
    const int64_t total = std::accumulate(lengths.begin(), lengths.end(), int64_t{0});
    check(total <= INT_MAX, "processes: texts of ", total, " bytes are too long to send");
    std::exclusive_scan(lengths.begin(), lengths.end(), starts.begin(), 0);
    std::string all(static_cast<size_t>(total), '\0');
    MPI_Allgatherv(mine.data(), length, MPI_CHAR, all.data(), lengths.data(), starts.data(),
                   MPI_CHAR, MPI_COMM_WORLD);
    std::vector<std::string> texts;
    for (size_t r = 0; r < lengths.size(); ++r)
      texts.push_back(all.substr(static_cast<size_t>(starts[r]), static_cast<size_t>(lengths[r])));
    return texts;
  }

 private:
  void sum_block(std::span<float> values) {
    const auto processes = static_cast<size_t>(size_);
    const size_t slice = (values.size() + processes - 1) / processes;
    const int count = static_cast<int>(slice);
    mine_.assign(slice * processes, 0);
    std::ranges::copy(values, mine_.begin());
    theirs_.resize(mine_.size());
    MPI_Alltoall(mine_.data(), count, MPI_FLOAT, theirs_.data(), count, MPI_FLOAT, MPI_COMM_WORLD);
    float* const sum = theirs_.data();
    for (size_t r = 1; r < processes; ++r) {
      const float* const of_r = theirs_.data() + r * slice;
      for (size_t i = 0; i < slice; ++i) sum[i] += of_r[i];
    }
    MPI_Allgather(sum, count, MPI_FLOAT, mine_.data(), count, MPI_FLOAT, MPI_COMM_WORLD);
    std::copy_n(mine_.begin(), values.size(), values.begin());
  }

  int rank_ = 0, size_ = 1, here_ = 1;
  std::vector<float> mine_, theirs_;
};

}  // namespace

std::unique_ptr<Communicator> join_processes() {
  const std::optional<Launch> launch = launched_by_mpi();
  if (!launch || launch->size == 1) return std::make_unique<Communicator>();
  auto processes = std::make_unique<MpiCommunicator>();
  check(processes->size() == launch->size, "processes: mpirun has started ", launch->size,
        ", but MPI joins ", processes->size(),
        "; the mpirun of another MPI than the one inkstone was built with cannot be used");
  return processes;
}

void end_processes(int status) {
  int joined = 0, done = 0;
  MPI_Initialized(&joined);
  MPI_Finalized(&done);
  if (joined && !done) MPI_Abort(MPI_COMM_WORLD, status);
}

#else

std::unique_ptr<Communicator> join_processes() {
  const std::optional<Launch> launch = launched_by_mpi();
  check(!launch || launch->size == 1, "processes: mpirun has started ", launch ? launch->size : 1,
        ", but inkstone was built without MPI and each would train alone; start one, or install "
        "libopenmpi-dev and build anew");
  return std::make_unique<Communicator>();
}

void end_processes(int /*status*/) {}

#endif

}  // namespace ink
