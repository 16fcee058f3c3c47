// Rows by number on the device: frequent ids, whose gradients are summed in pieces, wide and odd
// rows, and ids that lie on the device.
#include <cmath>

#include "tensor/ops.h"
#include "tests/cuda/both.h"

namespace ink {
namespace {

class EmbeddingOnDevice : public testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT_DEVICE(); }
};

void expect_rows_agree(int64_t V, int64_t C, const Tensor& ids) {
  SCOPED_TRACE(testing::Message() << ids.size() << " ids of " << V << "x" << C);
  expect_agreement([](auto in) { return embedding(in[0], in[1]); }, {randn({V, C}, 1), ids});
}

TEST_F(EmbeddingOnDevice, SumsTheRowsOfFrequentIdsInPieces) {
  expect_rows_agree(2, 40, randint({5000}, 2, 0, 2));
  expect_rows_agree(1, 8, randint({9000}, 2, 0, 1));
  expect_rows_agree(1, 3, randint({65}, 2, 0, 1));
  expect_rows_agree(1, 3, randint({64}, 2, 0, 1));
}

TEST_F(EmbeddingOnDevice, SumsFrequentAndRareIdsSideBySide) {
  std::vector<int32_t> ids(700, 3);
  for (size_t i = 0; i < ids.size(); i += 7) ids[i] = static_cast<int32_t>(i % 50);
  expect_rows_agree(60, 24, from(ids));
}

TEST_F(EmbeddingOnDevice, TakesRowsOfAnyLength) {
  for (const int64_t C : {1, 7, 128, 129, 768, 1025, 3000}) {
    expect_rows_agree(5, C, randint({2, 9}, 2, 0, 5));
  }
}

TEST_F(EmbeddingOnDevice, ReadsIdsThatLieOnTheDevice) {
  const Tensor ids = randint({300}, 2, 0, 4);
  const Sample::Call here = [&](auto in) { return embedding(in[0], ids); };
  const Sample::Call there = [&](auto in) { return embedding(in[0], to(ids, Device::cuda)); };
  const std::vector<Tensor> in = {randn({4, 6}, 1)};
  expect_same_bits(run_both(there, in, Dtype::f32).device, run_both(here, in, Dtype::f32).device,
                   "ids on the device");
}

TEST_F(EmbeddingOnDevice, GivesNaNForAnIdOnTheDeviceThatIsNoRow) {
  Tensor table = to(randn({4, 3}, 1, Dtype::f32), Device::cuda);
  const Tensor ids = to(from(std::vector<int32_t>{1, -1, 4, 1 << 30, 0}), Device::cuda);
  Tape tape;
  tape.watch(table);
  const Tensor rows = embedding(table, ids);
  const auto y = to_vector<float>(to(rows, Device::cpu));
  for (size_t i = 0; i < y.size(); ++i) EXPECT_EQ(std::isnan(y[i]), i / 3 >= 1 && i / 3 <= 3) << i;
  EXPECT_THROW(tape.backward(rows, to(full({5, 3}, 1), Device::cuda)), Error);
}

TEST_F(EmbeddingOnDevice, StillChecksIdsOfTheHost) {
  const Tensor table = to(randn({4, 3}, 1, Dtype::f32), Device::cuda);
  EXPECT_THROW(embedding(table, from(std::vector<int32_t>{0, 4})), Error);
}

}  // namespace
}  // namespace ink
