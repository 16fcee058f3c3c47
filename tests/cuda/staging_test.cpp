// Uploads: the host goes on at once, and its memory may change.
#include "cuda/staging.h"

#include <vector>

#include "tensor/op.h"
#include "tests/cuda/device.h"

namespace ink::cuda {
namespace {

// More than there are buffers, none of which is waited for but to be used again.
TEST(StagingOnDevice, UploadsWhatItWasGiven) {
  SKIP_WITHOUT_DEVICE();
  Staging staging;
  constexpr int kUploads = 600;
  const Tensor there({kUploads, 3}, Dtype::i32, Device::cuda);
  auto* const begin = static_cast<int32_t*>(there.storage()->data());
  std::vector<int32_t> expected;
  for (int32_t i = 0; i < kUploads; ++i) {
    int32_t row[] = {i, 2 * i, 3 * i};
    staging.upload(begin + int64_t{3} * i, row, sizeof row);
    expected.insert(expected.end(), std::begin(row), std::end(row));
  }
  EXPECT_EQ(to_vector<int32_t>(to(there, Device::cpu)), expected);
}

// In pieces, and beyond what is staged.
TEST(StagingOnDevice, UploadsOfEverySize) {
  SKIP_WITHOUT_DEVICE();
  Staging staging;
  for (const int64_t n : {1, 16384, 16385, 1 << 20, (1 << 20) + 1}) {
    const Tensor here = randint({n}, static_cast<uint64_t>(n), 0, 1 << 30);
    const Tensor there({n}, Dtype::i32, Device::cuda);
    staging.upload(there.storage()->data(), here.data<int32_t>(), here.bytes());
    EXPECT_TRUE(equal_bits(there, here)) << n;
  }
}

}  // namespace
}  // namespace ink::cuda
