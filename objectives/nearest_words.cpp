// nearest_words: for every word the others of highest cosine, by a blocked matrix product.
#include "objectives/nearest_words.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "tensor/error.h"
#include "tensor/gemm.h"
#include "tensor/parallel.h"
#include "tensor/scratch.h"
#include "tensor/simd.h"
#include "tensor/sums.h"

namespace ink {
namespace {

constexpr int64_t kTileRows = 64, kTileColumns = 1024, kStrip = 64, kMost = 1024;

// The best of one word's cosines so far, best first, in room for `most`.
class Best {
 public:
  Best(Neighbour* room, int64_t most) : room_(room), most_(most) {}

  // Takes in row[0 … n), the cosines with the words from `first` on; `self` is left out. Only
  // strips with something better than the worst of a full list are looked through.
  void take(const float* row, int64_t n, int32_t first, int32_t self) {
    for (int64_t begin = 0; begin < n; begin += kStrip) {
      const int64_t size = std::min(kStrip, n - begin);
      if (row_maximum(size, row + begin) <= worst()) continue;
      for (int64_t i = begin; i < begin + size; ++i) {
        const auto word = static_cast<int32_t>(first + i);
        if (row[i] > worst() && word != self) insert({word, row[i]});
      }
    }
  }
  int64_t count() const { return count_; }

 private:
  float worst() const {
    return count_ < most_ ? -std::numeric_limits<float>::infinity() : room_[most_ - 1].similarity;
  }
  void insert(const Neighbour& n) {
    int64_t at = count_ < most_ ? count_++ : most_ - 1;
    for (; at > 0 && room_[at - 1].similarity < n.similarity; --at) room_[at] = room_[at - 1];
    room_[at] = n;
  }

  Neighbour* room_;
  int64_t most_, count_ = 0;
};

// The words whose vectors have a direction, and these as rows of length 1.
struct Directions {
  std::vector<int32_t> words;
  Tensor rows;
};

Directions directions_of(const WordVectors& vectors) {
  const int64_t C = vectors.width();
  const auto* x = vectors.rows.data<float>();
  Directions out{{}, Tensor(vectors.rows.shape())};
  auto* y = out.rows.data<float>();
  for (int32_t i = 0; i < vectors.words.size(); ++i, x += C) {
    double squares = 0;
    for (int64_t c = 0; c < C; ++c)
      squares += static_cast<double>(x[c]) * static_cast<double>(x[c]);
    check(std::isfinite(squares),
          "nearest words: expected vectors of finite numbers, got others for ", vectors.words[i]);
    if (squares == 0) continue;
    const double scale = 1 / std::sqrt(squares);
    for (int64_t c = 0; c < C; ++c) y[c] = static_cast<float>(scale * static_cast<double>(x[c]));
    y += C;
    out.words.push_back(i);
  }
  return out;
}

// Which `best[r · most …]` each row has; counts in `counts`.
std::vector<Best> search(const float* rows, int64_t V, int64_t C, int64_t most,
                         std::vector<Neighbour>& room) {
  std::vector<Best> best;
  for (int64_t r = 0; r < V; ++r) best.emplace_back(&room[static_cast<size_t>(r * most)], most);
  for (int64_t column = 0; column < V; column += kTileColumns) {
    const int64_t columns = std::min(kTileColumns, V - column);
    const PackedMatrix packed(rows + column * C, C, true, columns, C);
    parallel_for(V, kTileRows, [&](int64_t begin, int64_t end) {
      const Scratch<float> tile(kTileRows * columns);
      gemm(false, end - begin, rows + begin * C, C, packed, tile.data(), columns);
      simd::run([&] {
        for (int64_t r = begin; r < end; ++r)
          best[static_cast<size_t>(r)].take(tile.data() + (r - begin) * columns, columns,
                                            static_cast<int32_t>(column), static_cast<int32_t>(r));
      });
    });
  }
  return best;
}

}  // namespace

WordNeighbours nearest_words(const WordVectors& vectors, int64_t most) {
  check(most > 0 && most <= kMost, "nearest words: expected 1 to ", kMost, " a word, got ", most);
  const Directions all = directions_of(vectors);
  const auto V = static_cast<int64_t>(all.words.size());
  most = std::min(most, std::max<int64_t>(V - 1, 1));
  std::vector<Neighbour> room(static_cast<size_t>(V * most));
  const std::vector<Best> best = search(all.rows.data<float>(), V, vectors.width(), most, room);
  WordNeighbours table;
  std::vector<WordNeighbours::Named> named;
  for (size_t r = 0; r < best.size(); ++r) {
    named.clear();
    for (int64_t k = 0; k < best[r].count(); ++k) {
      const auto& [row, cosine] = room[r * static_cast<size_t>(most) + static_cast<size_t>(k)];
      named.push_back({vectors.words[all.words[static_cast<size_t>(row)]], cosine});
    }
    table.add(vectors.words[all.words[r]], named);
  }
  return table;
}

}  // namespace ink
