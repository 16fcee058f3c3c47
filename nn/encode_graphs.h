// Encoding on the CUDA device by replay: a batch of lengths that were met before costs the host one
// call instead of a hundred launches (cuda/graph.h).
//
// Lengths that come again are recorded the second time, with all that a body derives from them;
// ids, segments and positions are copied into the recorded inputs before each replay. The last few
// lists of lengths are kept. They share their memory, that of the largest, since all but the last
// states is used up within a replay. Lengths that find no memory to be recorded are encoded as
// usual, and the recordings of others go. All members may be called from several threads; they wait
// for one another.
#pragma once
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include "tensor/device.h"
#include "tensor/packed.h"

namespace ink {

class EncodeGraphs {
 public:
  using Encode = std::function<Tensor(const Packed&)>;

  // encode(batch), replayed where these lengths were met before; the result is the caller's own.
  // encode must read ids, segments and positions through ops alone, and the same weights always.
  Tensor operator()(const Packed& batch, const Encode& encode);

 private:
  static constexpr size_t kKept = 16;
  struct Entry {
    std::vector<int32_t> offsets;
    Packed inputs = {};  // on the device, but for the offsets
    Tensor hidden = {};
    std::unique_ptr<Recorded> recorded = {};
    bool fails = false;
  };
  Entry& entry_of(const Packed& batch, bool& met);
  void record(Entry& entry, const Packed& batch, const Encode& encode);
  const Recorded* any_recorded() const;

  std::mutex mutex_;
  std::list<Entry> entries_;  // those used last come first
};

}  // namespace ink
