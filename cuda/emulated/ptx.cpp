// What a warp does together: tiles of tensor cores, spread over the registers of its lanes.
#include "cuda/emulated/ptx.h"

#include "cuda/emulated/sanitizers.h"
#include "cuda/emulated/scheduler.h"

namespace ink::cuda::emulated {
namespace {

constexpr unsigned kAll = 0xffffffff;

// Of a register, the half of one element.
uint16_t half(uint32_t word, int which) { return static_cast<uint16_t>(word >> 16 * which); }

float element(Dtype type, uint32_t word, int which) {
  const uint16_t bits = half(word, which);
  return type == Dtype::bf16 ? to_float(Bfloat16{bits}) : to_float(Float16{bits});
}

struct Registers {
  Dtype type;
  float* d;
  const uint32_t *a, *b;
};

// mma.m16n8k16: lane 4r + c has of d the rows r and r + 8, columns 2c and 2c + 1; of a the same and
// again 8 columns further; of b the rows 2c, 2c + 1 and again 8 further, column r.
void multiply(void* const* brought, unsigned) {
  float a[16][16], b[16][8];
  for (int lane = 0; lane < kLanes; ++lane) {
    const auto& mine = *static_cast<const Registers*>(brought[lane]);
    const int r = lane / 4, c = lane % 4 * 2;
    for (int i = 0; i < 4; ++i) {
      for (int e = 0; e < 2; ++e)
        a[r + 8 * (i % 2)][c + 8 * (i / 2) + e] = element(mine.type, mine.a[i], e);
    }
    for (int i = 0; i < 2; ++i) {
      for (int e = 0; e < 2; ++e) b[c + 8 * i + e][r] = element(mine.type, mine.b[i], e);
    }
  }
  for (int lane = 0; lane < kLanes; ++lane) {
    const auto& mine = *static_cast<const Registers*>(brought[lane]);
    for (int i = 0; i < 4; ++i) {
      const int row = lane / 4 + 8 * (i / 2), column = lane % 4 * 2 + i % 2;
      float sum = 0;
      for (int k = 0; k < 16; ++k) sum += a[row][k] * b[k][column];
      mine.d[i] += sum;
    }
  }
}

struct Tiles {
  uint32_t* r;
  const TileRow& row;
  bool transposed;
};

// ldmatrix: lane l brings row l % 8 of matrix l / 8, and gets elements 2·(l % 4) and + 1 of row l/4
// of each matrix, or of its transpose.
void share(void* const* brought, unsigned) {
  const auto at = [&](int matrix, int row, int column) {
    return uint32_t{static_cast<const Tiles*>(brought[8 * matrix + row])->row.at[column]};
  };
  for (int lane = 0; lane < kLanes; ++lane) {
    const auto& mine = *static_cast<const Tiles*>(brought[lane]);
    const int row = lane / 4, column = lane % 4 * 2;
    for (int m = 0; m < 4; ++m) {
      mine.r[m] = mine.transposed ? at(m, column, row) | at(m, column + 1, row) << 16
                                  : at(m, row, column) | at(m, row, column + 1) << 16;
    }
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-non-const-parameter): other lanes' work writes to it
void multiply_tile(Site site, Dtype type, float* d, const uint32_t* a, const uint32_t* b) {
  Registers mine{type, d, a, b};
  meet(site, kAll, multiply, &mine, Memory::unordered);
}

// NOLINTNEXTLINE(readability-non-const-parameter): likewise
void share_tiles(Site site, uint32_t* r, const TileRow& row, bool transposed) {
  Tiles mine{r, row, transposed};
  meet(site, kAll, share, &mine, Memory::unordered);
}

void start_copy(AsyncCopy copy) {
  const Unseen unseen;  // the list, which another block's thread has used before
  scheduler().copies().start(copy);
}
void end_copy_group() { scheduler().copies().end_group(); }
bool take_arrived_copy(int groups_left, AsyncCopy& copy) {
  return scheduler().copies().take_arrived(groups_left, copy);
}

}  // namespace ink::cuda::emulated
