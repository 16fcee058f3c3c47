// From packed rows to a rectangle and back to one loss: for softmaxes over the tokens of a
// sequence.
//
// A packed batch has no padding, but a softmax over the tokens of every sequence is one op only on
// a rectangle. Rows that a sequence does not have are taken from one extra row.
#pragma once
#include "tensor/tensor.h"

namespace ink {

inline constexpr double kNever = -1e30;  // a score whose exponential is exactly 0

// Which rows of a (N + 1, …) tensor fill the rectangle: i32 (B, T), T the longest sequence, N where
// there is none. starts i32 (B+1) ascending from 0 to N.
Tensor rectangle(const Tensor& starts);

// x (N, C) → (B, T, C), filled up with rows of `filler`.
Tensor to_rectangle(const Tensor& x, const Tensor& rows, double filler);

// Scores (N, 2) of tokens as the start and as the end of a span → (B, T) both; those of tokens that
// a sequence lacks are so low that their exponential is 0, and a number in every dtype.
struct StartsAndEnds {
  Tensor starts, ends;
};
StartsAndEnds starts_and_ends(const Tensor& scores, const Tensor& offsets);

// How many of `rows` (i32 (M), ascending) lie in each sequence, as starts: i32 (B+1). Raises Error
// when they do not ascend or leave the batch.
Tensor starts_of(const Tensor& rows, const Tensor& offsets);

}  // namespace ink
