// Blocks that wait for an event before others may have them.
#include "cuda/pinned.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

#include "cuda/stream.h"

namespace ink::cuda {
namespace {

constexpr size_t kBlock = size_t{64} << 10, kAlignment = 64;

size_t rounded(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

// Blocks of nobody.
class Shelf {
 public:
  // At most twice as large as asked for, or a new one.
  PinnedMemory::Block take(size_t bytes) {
    const size_t wanted = rounded(bytes, kBlock);
    const std::lock_guard lock(mutex_);
    std::erase_if(waiting_, [&](const Lot& lot) { return is_free(lot); });
    const auto found = free_.lower_bound(wanted);
    if (found != free_.end() && found->first <= 2 * wanted) {
      const PinnedMemory::Block block{found->second, found->first};
      free_.erase(found);
      return block;
    }
    void* data = nullptr;
    expect_success(cudaMallocHost(&data, wanted), "allocating pinned memory");
    return {static_cast<std::byte*>(data), wanted};
  }

  void put(std::vector<PinnedMemory::Block> blocks, cudaEvent_t read) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({std::move(blocks), read});
  }

 private:
  struct Lot {
    std::vector<PinnedMemory::Block> blocks;
    cudaEvent_t read;
  };

  // A device that has failed reads nothing any more.
  bool is_free(const Lot& lot) {
    if (lot.read) {
      const cudaError_t status = cudaEventQuery(lot.read);
      if (status != cudaSuccess) cudaGetLastError();
      if (status == cudaErrorNotReady) return false;
      cudaEventDestroy(lot.read);
    }
    for (const auto& [data, bytes] : lot.blocks) free_.emplace(bytes, data);
    return true;
  }

  std::mutex mutex_;
  std::multimap<size_t, std::byte*> free_;
  std::vector<Lot> waiting_;
};

// Never destroyed: graphs of static storage may outlive any order of destruction.
Shelf& shelf() {
  static auto& made = *new Shelf;
  return made;
}

}  // namespace

PinnedMemory::~PinnedMemory() {
  if (!blocks_.empty()) shelf().put(std::move(blocks_), read_);
}

const void* PinnedMemory::keep(const void* host, size_t bytes) {
  if (blocks_.empty() || blocks_.back().bytes - used_ < bytes) {
    blocks_.push_back(shelf().take(bytes));
    used_ = 0;
  }
  std::byte* const to = blocks_.back().data + used_;
  std::memcpy(to, host, bytes);
  used_ = std::min(used_ + rounded(bytes, kAlignment), blocks_.back().bytes);
  return to;
}

void PinnedMemory::mark_read() {
  if (blocks_.empty()) return;
  if (!read_)
    expect_success(cudaEventCreateWithFlags(&read_, cudaEventDisableTiming), "making an event");
  expect_success(cudaEventRecord(read_, stream()), "marking a replay");
}

}  // namespace ink::cuda
