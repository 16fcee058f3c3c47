// Sequences apart, and the masks of what lies behind their ends.
#include "compress/losses/sequences.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include "tensor/error.h"
#include "tensor/ops.h"

namespace ink {

namespace {

std::vector<int32_t> checked(const Tensor& offsets) {
  check(offsets && offsets.rank() == 1 && offsets.size() >= 1 && offsets.dtype() == Dtype::i32,
        "distill: expected offsets i32 (B + 1) of a packed batch");
  std::vector<int32_t> at = to_vector<int32_t>(offsets);
  check(at[0] == 0, "distill: expected offsets from 0 on, got ", at[0]);
  for (size_t b = 0; b + 1 < at.size(); ++b)
    check(at[b] <= at[b + 1], "distill: offsets should not decrease, got ", at[b], " before ",
          at[b + 1], " at ", b);
  return at;
}

std::vector<int64_t> lengths_in(const std::vector<int32_t>& at) {
  std::vector<int64_t> lengths;
  for (size_t b = 0; b + 1 < at.size(); ++b) lengths.push_back(at[b + 1] - at[b]);
  return lengths;
}

// Whether so much of a square of `longest` is a sequence's that it is no waste. An empty one has
// nothing to compute.
bool alike(int64_t length, int64_t longest) {
  constexpr int64_t kShort = 32;  // to these another group costs more than their padding
  return length == 0 || longest <= kShort || 2 * length * length >= longest * longest;
}

}  // namespace

Sequences::Sequences(const Tensor& offsets) {
  const std::vector<int32_t> at = checked(offsets);
  *this = Sequences(lengths_in(at), {at.begin(), at.end() - 1}, at.back());
}

Sequences::Sequences(std::vector<int64_t> lengths, std::vector<int64_t> starts, int64_t rows)
    : lengths_(std::move(lengths)), starts_(std::move(starts)), rows_(rows) {
  for (const int64_t length : lengths_) {
    longest_ = std::max(longest_, length);
    tokens_ += length;
    pairs_ += static_cast<double>(length) * static_cast<double>(length);
  }
  places_ = Tensor({count(), longest_}, Dtype::i32);
  int32_t* place = places_.data<int32_t>();
  for (size_t b = 0; b < lengths_.size(); ++b)
    for (int64_t i = 0; i < longest_; ++i)
      *place++ = static_cast<int32_t>((i < lengths_[b] ? starts_[b] : rows_) + i);
}

std::vector<Sequences> Sequences::of_like_lengths() const {
  std::vector<size_t> order(lengths_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, std::greater(), [&](size_t b) { return lengths_[b]; });
  std::vector<Sequences> groups;
  for (size_t first = 0, end = 0; first < order.size(); first = end) {
    std::vector<int64_t> lengths, starts;
    for (; end < order.size() && alike(lengths_[order[end]], lengths_[order[first]]); ++end) {
      lengths.push_back(lengths_[order[end]]);
      starts.push_back(starts_[order[end]]);
    }
    groups.push_back(Sequences(std::move(lengths), std::move(starts), rows_));
  }
  if (groups.size() <= 1) return {*this};
  return groups;
}

Tensor Sequences::apart(const Tensor& rows) const {
  check(rows.rank() == 2 && rows.dim(0) == rows_, "distill: expected states of ", rows_,
        " tokens, got shape ", rows.shape());
  if (even() && tokens_ == rows_) return reshape(rows, {count(), longest_, rows.dim(1)});
  if (even()) return gather_rows(rows, places_);
  // As many zeros as places, so that backward does not add up all of them in one row.
  const Tensor behind = zeros({longest_, rows.dim(1)}, rows.dtype(), rows.device());
  return gather_rows(concat({rows, behind}, 0), places_);
}

template <class F>
Tensor Sequences::table(const Tensor& x, F&& f) const {
  Tensor values({count(), longest_}, Dtype::f32);
  float* value = values.data<float>();
  for (const int64_t length : lengths_)
    for (int64_t i = 0; i < longest_; ++i) *value++ = f(i < length);
  return like(x, values);
}

Tensor Sequences::rows_kept(const Tensor& x) const {
  if (even()) return x;
  const Tensor inside = table(x, [](bool counts) { return counts ? 1.0F : 0.0F; });
  return multiply(x, x.rank() == 3 ? reshape(inside, {count(), longest_, 1})
                                   : reshape(inside, {count(), 1, longest_, 1}));
}

Tensor Sequences::pairs_kept(const Tensor& maps) const {
  if (even()) return maps;
  const Tensor inside = table(maps, [](bool counts) { return counts ? 1.0F : 0.0F; });
  return multiply(maps, multiply(reshape(inside, {count(), 1, longest_, 1}),
                                 reshape(inside, {count(), 1, 1, longest_})));
}

Tensor Sequences::columns_shifted(const Tensor& maps, double value) const {
  if (even()) return maps;
  const auto number = static_cast<float>(value);
  const Tensor terms = table(maps, [=](bool counts) { return counts ? 0.0F : number; });
  return add(maps, reshape(terms, {count(), 1, 1, longest_}));
}

Tensor Sequences::over_lengths(const Tensor& x) const {
  if (even()) return scale(x, 1 / static_cast<double>(std::max<int64_t>(longest_, 1)));
  Tensor lengths({count(), 1, 1}, Dtype::f64);
  for (size_t b = 0; b < lengths_.size(); ++b)
    lengths.data<double>()[b] = static_cast<double>(std::max<int64_t>(lengths_[b], 1));
  return divide(x, to(converted(lengths, x.dtype()), x.device()));
}

double Sequences::share_of_rows() const {
  const int64_t all = count() * longest_;
  return static_cast<double>(all) / static_cast<double>(std::max<int64_t>(tokens_, 1));
}

double Sequences::share_of_pairs() const {
  const int64_t all = count() * longest_ * longest_;
  return static_cast<double>(all) / std::max(pairs_, 1.0);
}

}  // namespace ink
