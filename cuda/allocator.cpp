// Free lists by size, in steps of a sixteenth and at most 2 MiB, so that a block of another size of
// the same class fits. Blocks of some MiB are cut from slabs (cuda/slabs.h).
#include "cuda/allocator.h"

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cuda/slabs.h"
#include "cuda/stream.h"
#include "tensor/op.h"
#if INK_EMULATED
#include "cuda/emulated/arena.h"
#endif

namespace ink::cuda {
namespace {

constexpr size_t kSmall = size_t{1} << 20, kStep = 512, kLargeStep = size_t{2} << 20;

size_t rounded(size_t bytes) {
  const size_t step = bytes < kSmall         ? kStep
                      : Slabs::serves(bytes) ? std::bit_floor(bytes) / 16
                                             : kLargeStep;
  return (std::max<size_t>(bytes, 1) + step - 1) / step * step;
}

// The emulated device watches the edges of what a tensor asked for, not of the block it got: of
// blocks that are the driver's, so that slabs are cut there in tests of them alone.
#if INK_EMULATED
constexpr bool kCutsSlabs = false;
void begin_use(const Slabs& slabs, void* data, size_t bytes) {
  if (!slabs.of(data)) emulated::arena().hand_out(data, bytes);
}
void end_use(const Slabs& slabs, void* data) { begin_use(slabs, data, emulated::Arena::kNobody); }
#else
constexpr bool kCutsSlabs = true;
void begin_use(const Slabs&, void*, size_t) {}
void end_use(const Slabs&, void*) {}
#endif

thread_local Reserve* current_reserve = nullptr;

double in_mib(size_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

class DeviceMemory final : public Allocator {
 public:
  void* allocate(size_t bytes) override {
    check(bytes < size_t{1} << 56, "cuda: cannot allocate ", bytes, " bytes");
    const size_t wanted = rounded(bytes);
    std::unique_lock lock(mutex_);
    Reserve* const owner = current_reserve;
    Block block = take(free_[owner], wanted);
    if (!block.data && owner) block = take(free_[nullptr], wanted);
    if (!block.data) block = fresh(lock, owner, wanted);
    used_.emplace(block.data, Used{block.bytes, owner});
    begin_use(slabs_, block.data, owner ? block.bytes : bytes);
    statistics_.in_use += block.bytes;
    statistics_.peak = std::max(statistics_.peak, statistics_.in_use);
    if (fill_)
      expect_success(cudaMemsetAsync(block.data, 0xff, bytes, stream()), "filling a block");
    return block.data;
  }

  void release(void* data, size_t) noexcept override {
    if (!data) return;
    const std::lock_guard lock(mutex_);
    const auto found = used_.find(data);
    const auto [bytes, owner] = found->second;
    used_.erase(found);
    if (!owner) end_use(slabs_, data);  // replays go on using the others
    free_[owner].emplace(bytes, data);
    statistics_.in_use -= bytes;
    statistics_.cached += bytes;
  }

  void* workspace(size_t bytes) {
    Lock lock(mutex_);
    const size_t wanted = rounded(bytes);
    void* const data = ask_driver(lock, wanted);
    statistics_.in_use += wanted;
    statistics_.peak = std::max(statistics_.peak, statistics_.in_use);
    return data;
  }

  AllocatorStatistics statistics() {
    const std::lock_guard lock(mutex_);
    return statistics_;
  }
  void reset_peak() {
    const std::lock_guard lock(mutex_);
    statistics_.peak = statistics_.in_use;
  }
  void release_cached() {
    std::unique_lock lock(mutex_);
    give_back(lock);
  }
  void limit(size_t bytes) {
    const std::lock_guard lock(mutex_);
    limit_ = bytes;
  }
  void fill(bool with_nan) {
    const std::lock_guard lock(mutex_);
    fill_ = with_nan;
  }
  bool cut_slabs(bool on) {
    const std::lock_guard lock(mutex_);
    return std::exchange(cuts_slabs_, on);
  }
  void begin_capture() {
    const std::lock_guard lock(mutex_);
    ++captures_;
  }
  void end_capture() {
    const std::lock_guard lock(mutex_);
    if (--captures_ == 0) no_capture_.notify_all();
  }
  // Its blocks become everybody's, those in use when they are released.
  void dissolve(Reserve* reserve) {
    const std::lock_guard lock(mutex_);
    for (auto& [data, used] : used_) {
      if (used.owner == reserve) used.owner = nullptr;
    }
    for (const auto& [bytes, data] : free_[reserve]) {
      end_use(slabs_, data);
      free_[nullptr].emplace(bytes, data);
    }
    free_.erase(reserve);
  }

 private:
  struct Block {
    void* data;
    size_t bytes;
  };
  struct Used {
    size_t bytes;
    Reserve* owner;  // null: everybody
  };
  using Free = std::multimap<size_t, void*>;
  using Lock = std::unique_lock<std::mutex>;

  // The smallest free block that holds `wanted` and wastes at most an eighth of it; null data when
  // there is none.
  Block take(Free& free, size_t wanted) {
    const auto found = free.lower_bound(wanted);
    if (found == free.end() || found->first > wanted + wanted / 8) return {nullptr, 0};
    const Block block{found->second, found->first};
    free.erase(found);
    statistics_.cached -= block.bytes;
    return block;
  }

  Block fresh(Lock& lock, Reserve* owner, size_t wanted) {
    stream();  // starts the runtime, or says that there is no device
    char* slab = nullptr;
    if (cuts_slabs_ && !owner && Slabs::serves(wanted))
      slab = static_cast<char*>(try_driver(Slabs::kBlocks * wanted));
    if (!slab) return {ask_driver(lock, wanted), wanted};
    ++statistics_.system_allocations;
    slabs_.add(slab, wanted);
    for (size_t i = 1; i < Slabs::kBlocks; ++i) free_[nullptr].emplace(wanted, slab + i * wanted);
    statistics_.cached += (Slabs::kBlocks - 1) * wanted;
    return {slab, wanted};
  }

  void* ask_driver(Lock& lock, size_t wanted) {
    void* data = try_driver(wanted);
    if (!data) {
      give_back(lock);
      data = try_driver(wanted);
    }
    size_t available = 0, total = 0;
    if (!data) cudaMemGetInfo(&available, &total);
    check(data != nullptr, "cuda: out of memory: ", in_mib(wanted), " MiB asked for, ",
          in_mib(statistics_.in_use), " MiB in use (peak ", in_mib(statistics_.peak), "), ",
          in_mib(available), " of ", in_mib(total), " MiB free on the device", largest_in_use(),
          "; use a smaller batch",
          Recorder::current ? " and accumulate gradients over several" : "",
          ", or bf16 where this is f32");
    ++statistics_.system_allocations;
    return data;
  }

  std::string largest_in_use() const {
    std::array<size_t, 3> most{};
    std::vector<size_t> sizes;
    for (const auto& [data, used] : used_) sizes.push_back(used.bytes);
    const auto end = std::ranges::partial_sort_copy(sizes, most, std::greater{}).out;
    std::ostringstream text;
    for (auto size = most.begin(); size != end; ++size)
      text << (size == most.begin() ? "; the largest tensors have " : ", ") << in_mib(*size);
    if (end != most.begin()) text << " MiB";
    return text.str();
  }

  void* try_driver(size_t wanted) {
    if (limit_ && statistics_.in_use + statistics_.cached + wanted > limit_) return nullptr;
    void* data = nullptr;
    if (cudaMalloc(&data, wanted) == cudaSuccess) return data;
    cudaGetLastError();
    return nullptr;
  }

  // To wait for the device breaks every capture under way. Those of other threads are short, but
  // may need a lock that this one holds: then there is nothing to be had.
  bool captures_end(Lock& lock) {
    constexpr std::chrono::seconds kLong(1);
    return !current_reserve && no_capture_.wait_for(lock, kLong, [this] { return captures_ == 0; });
  }

  void give_back(Lock& lock) {
    Free& free = free_[nullptr];
    if (free.empty() || !captures_end(lock)) return;
    expect_success(wait_for_stream(), "waiting for memory");  // which is watched
    expect_success(cudaDeviceSynchronize(), "waiting for memory");
    const auto counts = slabs_.counts(free);
    std::vector<void*> whole;
    for (auto block = free.begin(); block != free.end();) {
      const auto [bytes, data] = *block;
      const auto slab = counts.find(slabs_.of(data));
      if (slab != counts.end() && slab->second < Slabs::kBlocks) {  // others are in use
        ++block;
        continue;
      }
      if (slab == counts.end() || slab->first == data) whole.push_back(data);
      statistics_.cached -= bytes;
      block = free.erase(block);
    }
    for (void* data : whole) {
      slabs_.remove(data);
      cudaFree(data);
    }
  }

  std::mutex mutex_;
  std::map<Reserve*, Free> free_;
  std::unordered_map<void*, Used> used_;
  Slabs slabs_;
  AllocatorStatistics statistics_;
  std::condition_variable no_capture_;
  int captures_ = 0;  // under way
  size_t limit_ = 0;
  bool fill_ = false, cuts_slabs_ = kCutsSlabs;
};

// Never destroyed: tensors of static storage may outlive any order of destruction.
DeviceMemory& memory() {
  static auto& made = *new DeviceMemory;
  return made;
}

}  // namespace

Allocator& device_memory() { return memory(); }
void* lasting_workspace(size_t bytes) { return memory().workspace(bytes); }
AllocatorStatistics device_statistics() { return memory().statistics(); }
void reset_device_peak() { memory().reset_peak(); }
void release_device_cache() { memory().release_cached(); }
void limit_device_memory(size_t bytes) { memory().limit(bytes); }
void fill_device_blocks(bool with_nan) { memory().fill(with_nan); }
bool cut_slabs(bool on) { return memory().cut_slabs(on); }

Reserve::~Reserve() { memory().dissolve(this); }

ReserveScope::ReserveScope(Reserve& reserve) : before_(current_reserve) {
  memory().begin_capture();
  current_reserve = &reserve;
}
ReserveScope::~ReserveScope() {
  current_reserve = before_;
  memory().end_capture();
}

}  // namespace ink::cuda
