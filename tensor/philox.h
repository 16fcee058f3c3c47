// Random numbers without state: value = Philox4x32-10(key, counter) (Salmon et al. 2011).
//
// A Random is a plain value. `random.split(i)` gives an independent stream for the i-th use and
// `random.split("dropout")` one for the use of that name, so the number that any element receives
// depends only on (seed, path of splits, element index): never on threads, order or device, and
// there is no generator state to save in a checkpoint. Whoever draws names its own stream where it
// draws; nobody keeps a list of all:
//
//   const Random step = Random(seed).split("steps").split(s);
//   y = dropout(x, 0.1, step.split("embeddings"));
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "tensor/device.h"

namespace ink {

struct PhiloxKey {
  uint32_t k0, k1;
};

// The key of a stream as a kernel of the CUDA device gets it: itself, or in work that is replayed
// the place on the device where each replay finds its own (tensor/replayed_random.h).
struct StreamKey {
  PhiloxKey itself = {0, 0};
  const PhiloxKey* place = nullptr;
  INK_BOTH PhiloxKey get() const { return place ? *place : itself; }
};

// Rounds where the numbers only decide what is dropped: seven are the fewest that pass BigCrush
// (Salmon et al. 2011, table 2); ten have room to spare.
inline constexpr int kPhiloxRounds = 10, kFewPhiloxRounds = 7;

// One block of the cipher: four independent uniform 32-bit words.
template <int kRounds = kPhiloxRounds>
INK_BOTH inline std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, PhiloxKey key) {
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t a = uint64_t{0xD2511F53u} * counter[0], b = uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key.k0, static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key.k1, static_cast<uint32_t>(a)};
    key.k0 += 0x9E3779B9u;
    key.k1 += 0xBB67AE85u;
  }
  return counter;
}

// FNV-1a (Fowler, Noll, Vo): the number of the stream of this name.
constexpr uint64_t stream_number(std::string_view name) {
  uint64_t h = 0xcbf29ce484222325u;
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return h;
}

class RandomWay;  // the splits that led to a Random of replayed work (tensor/replayed_random.h)
const RandomWay* split_way(const RandomWay* way, uint64_t i);
const PhiloxKey* place_of_key(const RandomWay* way);
[[noreturn]] void fail_draw();

class Random {
 public:
  explicit Random(uint64_t seed) : key_(seed) {}

  // An independent stream; the same i gives the same stream.
  Random split(uint64_t i) const {
    const auto r = philox(words(i, kSplit), words_of_key());
    Random made(uint64_t{r[0]} << 32 | r[1]);
    if (way_) made.way_ = split_way(way_, i);
    return made;
  }
  // Likewise by name.
  Random split(std::string_view name) const { return split(stream_number(name)); }
  // The four words of block i of this stream.
  std::array<uint32_t, 4> block(uint64_t i) const { return philox(words(i, kDraw), key()); }
  uint32_t bits(uint64_t i) const { return block(i / 4)[i % 4]; }
  // Half of a word of a stream of fewer rounds: a number in [0, 2¹⁶).
  uint32_t half(uint64_t i) const {
    const auto block = philox<kFewPhiloxRounds>(words(i / 8, kDraw), key());
    return block[i / 2 % 4] >> (i % 2 * 16) & 0xffffu;
  }
  double uniform(uint64_t i) const { return bits(i) * 0x1p-32; }  // in [0, 1)
  uint64_t below(uint64_t i, uint64_t n) const {                  // in [0, n), n > 0
    const auto r = block(i);
    return static_cast<uint64_t>(
        (static_cast<unsigned __int128>(uint64_t{r[0]} << 32 | r[1]) * n) >> 64);
  }
  // mean 0, deviation 1 (Box-Muller)
  double normal(uint64_t i) const;

  uint64_t seed() const {
    if (way_) [[unlikely]]
      fail_draw();
    return key_;
  }
  // For what draws on the host, and for kernels of the CUDA device.
  PhiloxKey key() const {
    if (way_) [[unlikely]]
      fail_draw();
    return words_of_key();
  }
  StreamKey key_for_device() const { return {words_of_key(), way_ ? place_of_key(way_) : nullptr}; }
  bool operator==(const Random&) const = default;

 private:
  friend class ReplayedRandom;
  static constexpr uint32_t kDraw = 0, kSplit = 0x5911u;
  PhiloxKey words_of_key() const {
    return {static_cast<uint32_t>(key_), static_cast<uint32_t>(key_ >> 32)};
  }
  static std::array<uint32_t, 4> words(uint64_t i, uint32_t use) {
    return {static_cast<uint32_t>(i), static_cast<uint32_t>(i >> 32), use, 0};
  }
  uint64_t key_;
  const RandomWay* way_ = nullptr;
};

// Draws in sequence from one stream, for loops that consume a varying number of
// values (shuffles, masking).
class Draws {
 public:
  explicit Draws(Random random) : random_(random) {}
  double uniform() { return random_.uniform(4 * next_++); }
  uint64_t below(uint64_t n) { return random_.below(next_++, n); }
  // Fisher-Yates
  template <class T>
  void shuffle(std::vector<T>& v) {
    for (std::size_t i = v.size(); i > 1; --i) std::swap(v[i - 1], v[below(i)]);
  }

 private:
  Random random_;
  uint64_t next_ = 0;
};

}  // namespace ink
