// CUDA's small vectors, as the emulated device has them.
#pragma once

// NOLINTBEGIN(readability-identifier-naming): CUDA's names
#define INK_VECTORS(T, name)                                 \
  struct alignas(2 * sizeof(T)) name##2 {                    \
    T x, y;                                                  \
  };                                                         \
  struct name##3 {                                           \
    T x, y, z;                                               \
  };                                                         \
  struct alignas(4 * sizeof(T)) name##4 {                    \
    T x, y, z, w;                                            \
  };                                                         \
  inline name##2 make_##name##2(T x, T y) { return {x, y}; } \
  inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }

INK_VECTORS(float, float)
INK_VECTORS(int, int)
INK_VECTORS(unsigned, uint)
INK_VECTORS(short, short)
INK_VECTORS(unsigned short, ushort)
INK_VECTORS(unsigned char, uchar)
#undef INK_VECTORS

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
// NOLINTEND(readability-identifier-naming)
