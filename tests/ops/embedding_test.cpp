// embedding and gather_rows: rows by number, ids checked with their position.
#include <gtest/gtest.h>

#include "tensor/op.h"
#include "tensor/ops.h"
#include "tests/expect_error.h"

namespace ink {
namespace {

Tensor ids_of(std::vector<int32_t> values, Shape shape) {
  return from<int32_t>(std::span<const int32_t>(values), shape);
}

TEST(Embedding, TakesRows) {
  const Tensor table = reshape(arange(6, Dtype::f32), {3, 2});
  const Tensor y = embedding(table, ids_of({2, 0, 0, 1}, {2, 2}));
  EXPECT_EQ(y.shape(), (Shape{2, 2, 2}));
  EXPECT_EQ(to_vector<float>(y), (std::vector<float>{4, 5, 0, 1, 0, 1, 2, 3}));
  EXPECT_EQ(embedding(table, ids_of({1}, {})).shape(), (Shape{2}));
  EXPECT_EQ(embedding(table, zeros({0}, Dtype::i32)).shape(), (Shape{0, 2}));
}

TEST(Embedding, ReadsStridedTablesAndIds) {
  const Tensor table = randn({3, 5}, 1), ids = ids_of({0, 9, 2, 9, 1, 9}, {6});
  EXPECT_TRUE(equal_bits(embedding(transpose(table, 0, 1), slice(ids, 0, 0, 6, 2)),
                         embedding(contiguous(transpose(table, 0, 1)), ids_of({0, 2, 1}, {3}))));
}

TEST(Embedding, NamesTheFirstIdOutsideTheTable) {
  const Tensor table = zeros({10, 2});
  EXPECT_ERROR(embedding(table, ids_of({1, 2, 3, 10, -1, 0}, {2, 3})),
               "embedding: id 10 at position (1, 0) is outside [0, 10)");
  EXPECT_ERROR(embedding(table, ids_of({0, -1}, {2})),
               "embedding: id -1 at position (1) is outside [0, 10)");
  EXPECT_ERROR(embedding(zeros({0, 2}), ids_of({0}, {1})),
               "id 0 at position (0) is outside [0, 0)");
  EXPECT_ERROR(embedding(table, zeros({2})), "embedding: row numbers should be i32, got f32");
  EXPECT_ERROR(embedding(zeros({4}), ids_of({0}, {1})), "embedding: expected a table (V, C), got");
}

TEST(GatherRows, TakesRowsOfAnyRank) {
  const Tensor x = reshape(arange(8, Dtype::f64), {2, 2, 2});
  const Tensor y = gather_rows(x, ids_of({1, 1, 0}, {3}));
  EXPECT_EQ(y.shape(), (Shape{3, 2, 2}));
  EXPECT_EQ(to_vector<double>(y), (std::vector<double>{4, 5, 6, 7, 4, 5, 6, 7, 0, 1, 2, 3}));
  EXPECT_EQ(to_vector<double>(gather_rows(from<double>({5, 6, 7}), ids_of({2}, {1})))[0], 7);
  EXPECT_ERROR(gather_rows(x, ids_of({2}, {1})), "gather_rows: id 2 at position (0) is outside");
  EXPECT_ERROR(gather_rows(zeros({}), ids_of({0}, {1})),
               "gather_rows: expected a tensor with rows");
}

}  // namespace
}  // namespace ink
