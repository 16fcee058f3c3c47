// The random streams of work that is recorded once and replayed (cuda/graph.h): each replay draws
// from its own.
//
//   ReplayedRandom streams;
//   streams.start(Random(seed).split("steps").split(s));
//   … dropout(x, 0.1, streams.root().split("embeddings")) …          // recorded
//   streams.start(Random(seed).split("steps").split(s + 1));         // before its replay
//
// A Random that comes from root() knows the splits that led to it, its way. Kernels that draw from
// it read its key in the device's memory, where start() puts what the same way leads to from
// another root: bit for bit the numbers of work that is not recorded. On the host nothing can be
// drawn from it, as it would not be drawn again: an Error.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "tensor/philox.h"
#include "tensor/tensor.h"

namespace ink {

class ReplayedRandom;

class RandomWay {
 public:
  RandomWay(ReplayedRandom* all, const RandomWay* from, uint64_t split, const Random& now)
      : all_(all), from_(from), split_(split), now_(now) {}

 private:
  friend class ReplayedRandom;
  friend const RandomWay* split_way(const RandomWay* way, uint64_t i);
  friend const PhiloxKey* place_of_key(const RandomWay* way);
  ReplayedRandom* all_;
  const RandomWay* from_;  // without the last split; null at the root
  uint64_t split_;         // the last split
  Random now_;             // where it leads to from the root of start()
};

// Of one thread. Ways and places stay as long as it lives.
class ReplayedRandom {
 public:
  ReplayedRandom();
  ReplayedRandom(const ReplayedRandom&) = delete;
  ReplayedRandom& operator=(const ReplayedRandom&) = delete;

  Random root() const;
  // What is computed or replayed from now on, in the order of the stream, draws from here.
  void start(const Random& root);

 private:
  friend const RandomWay* split_way(const RandomWay* way, uint64_t i);
  friend const PhiloxKey* place_of_key(const RandomWay* way);
  const RandomWay* split(const RandomWay* from, uint64_t i);
  const PhiloxKey* place_of(const RandomWay* way);
  PhiloxKey* key_at(int64_t place) const;

  static constexpr int64_t kMost = 4096;          // keys
  std::vector<std::unique_ptr<RandomWay>> ways_;  // each behind the one it comes from
  std::map<std::pair<const RandomWay*, uint64_t>, const RandomWay*> known_;
  std::vector<const RandomWay*> placed_;  // those whose keys lie in keys_, in order
  std::map<const RandomWay*, int64_t> places_;
  Tensor keys_;  // i32 (kMost, 2) on the device
};

}  // namespace ink
