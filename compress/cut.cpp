// Parts along an axis, copied or cleared as bytes.
#include "compress/cut.h"

#include <algorithm>
#include <cstring>

namespace ink {
namespace {

// Calls f(first byte, byte count) for all parts of contiguous x that stay, or that do not.
template <class F>
void for_each_part(const Tensor& x, const Cut& cut, bool kept, const F& f) {
  int64_t outer = 1;
  for (int axis = 0; axis < cut.axis; ++axis) outer *= x.dim(axis);
  const auto n = static_cast<int64_t>(cut.keep.size());
  if (x.size() == 0) return;
  const size_t unit = x.bytes() / static_cast<size_t>(outer * n);
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < n; ++i)
      if ((cut.keep[static_cast<size_t>(i)] != 0) == kept)
        f(static_cast<size_t>(o * n + i) * unit, unit);
}

std::byte* bytes_of(const Tensor& x) {
  return static_cast<std::byte*>(x.storage()->data()) +
         static_cast<size_t>(x.offset()) * size_of(x.dtype());
}

}  // namespace

int64_t kept_in(std::span<const uint8_t> keep) {
  return std::ranges::count_if(keep, [](uint8_t one) { return one != 0; });
}

Tensor cut_out(const Tensor& value, const Cut& cut) {
  const Tensor x = contiguous(value);
  Shape shape = x.shape();
  shape[cut.axis] = kept_in(cut.keep);
  Tensor y(shape, x.dtype());
  std::byte* to = bytes_of(y);
  for_each_part(x, cut, true, [&](size_t first, size_t count) {
    std::memcpy(to, bytes_of(x) + first, count);
    to += count;
  });
  return y;
}

void zero_out(Tensor& value, const Cut& cut) {
  for_each_part(value, cut, false, [&](size_t first, size_t count) {
    std::memset(bytes_of(value) + first, 0, count);
  });
  value.touch();
}

}  // namespace ink
