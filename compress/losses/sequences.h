// Sequences of a packed batch side by side, for losses that compare tokens with tokens.
//
//   rows (N, C), offsets (B + 1)  →  (B, L, C), L the longest sequence, zeros behind an end
//
// Losses of single tokens read packed rows as they are. Gram matrices and maps of attention need
// sequences apart: a map is (B, H, L, L), row i and column j of a sequence of T tokens count where
// i, j < T. What stands elsewhere is multiplied by a mask of zeros, which is left out where all
// sequences are of one length; then nothing is copied either.
#pragma once
#include <cstdint>
#include <vector>

#include "tensor/tensor.h"

namespace ink {

class Sequences {
 public:
  // offsets: i32 (B + 1), on the host, from 0 on. Raises Error where they decrease.
  explicit Sequences(const Tensor& offsets);
  // The same sequences in groups of like lengths, the longest first: of the pairs that are computed
  // for a group at most half are behind an end, but where all have 32 tokens or fewer. All read
  // rows (N, C) of the whole batch.
  std::vector<Sequences> of_like_lengths() const;

  int64_t count() const { return static_cast<int64_t>(lengths_.size()); }  // B
  int64_t longest() const { return longest_; }                             // L
  int64_t tokens() const { return tokens_; }                               // Σ T
  double pairs() const { return pairs_; }                                  // Σ T²
  bool even() const { return count() * longest_ == tokens_; }              // all of one length
  const std::vector<int64_t>& lengths() const { return lengths_; }

  // (N, C) → (B, L, C). Recorded.
  Tensor apart(const Tensor& rows) const;
  // Rows of x (B, L, C) or maps (B, H, L, L), with zeros behind the ends: of rows alone, or of rows
  // and columns. Recorded.
  Tensor rows_kept(const Tensor& x) const;
  Tensor pairs_kept(const Tensor& maps) const;
  // Maps plus `value` in the columns behind the ends. Recorded.
  Tensor columns_shifted(const Tensor& maps, double value) const;
  // x (B, L, C) divided by each sequence's length. Recorded.
  Tensor over_lengths(const Tensor& x) const;

  // What a mean over B·L rows, or B·L² pairs, is multiplied by to become one over those that count.
  double share_of_rows() const;
  double share_of_pairs() const;

 private:
  // Sequences of these lengths, which begin at these of `rows` rows.
  Sequences(std::vector<int64_t> lengths, std::vector<int64_t> starts, int64_t rows);

  // f(sequence, place) for each of (B, L), as a tensor of x's type and device.
  template <class F>
  Tensor table(const Tensor& x, F&& f) const;

  std::vector<int64_t> lengths_, starts_;
  Tensor places_;  // i32 (B, L): where each place's row is; from N on behind the ends
  int64_t rows_ = 0, longest_ = 0, tokens_ = 0;  // rows_: N
  double pairs_ = 0;
};

}  // namespace ink
