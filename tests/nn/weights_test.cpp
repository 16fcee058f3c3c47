// Weights in every file that models come in: found in order, whole or in shards, and written back.
#include "nn/weights.h"

#include <gtest/gtest.h>

#include "tensor/file.h"
#include "tensor/json.h"
#include "tensor/op.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"

namespace ink {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryFolder;

const fs::path kGolden = fs::path(INK_SOURCE_DIR) / "tests/golden/torch";

std::vector<NamedTensor> some_tensors() {
  return {{"c", randn({8, 4}, 1, Dtype::f32)},
          {"a", randn({4, 4}, 2, Dtype::f32)},
          {"b", randn({4, 8}, 3, Dtype::f32)},
          {"ids", converted(randint({5}, 4, 0, 9), Dtype::i64)}};
}

void write_index(const fs::path& path, const std::string& map) {
  write_file(path, R"({"metadata": {"total_size": 1}, "weight_map": {)" + map + "}}");
}

TEST(Weights, AreFoundInOrder) {
  const TemporaryFolder folder;
  EXPECT_ERROR(Weights::open(folder / "none"), "there is no such folder");
  EXPECT_ERROR(Weights::open(folder.path()), "expected model.safetensors, ");
  write_file(folder / "tf_model.h5", "x");
  EXPECT_ERROR(Weights::open(folder.path()), "none of them but tf_model.h5, which");
  const auto expect_path = [&](const std::string& name) {
    EXPECT_EQ(Weights::open(folder.path()).path(), folder / name);
  };
  fs::copy(kGolden / "nested.bin", folder / "part.bin");
  write_index(folder / "pytorch_model.bin.index.json", R"("a": "part.bin", "b": "part.bin")");
  expect_path("pytorch_model.bin.index.json");
  fs::copy(kGolden / "zip.bin", folder / "pytorch_model.bin");
  expect_path("pytorch_model.bin");
  write_safetensors(folder / "x.safetensors", some_tensors());
  write_index(folder / "model.safetensors.index.json",
              R"("a": "x.safetensors", "b": "x.safetensors", "c": "x.safetensors",
                 "ids": "x.safetensors")");
  expect_path("model.safetensors.index.json");
  fs::create_symlink("nowhere", folder / "model.safetensors");
  EXPECT_ERROR(Weights::open(folder.path()), "points to a file that is not there");
  fs::remove(folder / "model.safetensors");
  write_safetensors(folder / "model.safetensors", some_tensors());
  expect_path("model.safetensors");
}

TEST(Weights, ReadTheSameFromBothFormats) {
  const Weights expected = Weights::read(kGolden / "state.safetensors");
  for (const char* name : {"zip.bin", "legacy.bin"}) {
    const Weights weights = Weights::read(kGolden / name);
    ASSERT_EQ(weights.entries().size(), expected.entries().size());
    for (const Weights::Entry& e : weights.entries()) {
      EXPECT_TRUE(equal_bits(weights.tensor(e), expected.tensor(e.name))) << e.name;
      EXPECT_EQ(e.dtype, expected.find(e.name)->dtype);
      EXPECT_EQ(weights.path_of(e), kGolden / name);
    }
  }
}

TEST(Weights, RefuseAnIndexThatDoesNotFit) {
  const TemporaryFolder folder;
  const fs::path index = folder / "model.safetensors.index.json";
  write_safetensors(folder / "x", std::vector<NamedTensor>{{"a", zeros({1})}, {"b", zeros({1})}});
  write_safetensors(folder / "y", std::vector<NamedTensor>{{"b", zeros({1})}});
  write_safetensors(folder / "z", std::vector<NamedTensor>{{"c", zeros({1})}});
  const auto expect = [&](const std::string& map, const std::string& complaint) {
    write_index(index, map);
    EXPECT_ERROR(Weights::open(folder.path()), complaint);
  };
  expect(R"("a":"x","b":"z")", "b should be in z, it is in x");
  expect(R"("a":"x","b":"x","d":"z")", "d should be in z, it is nowhere");
  expect(R"("a":"x")", "it names 1 tensors, its files hold 2");
  expect(R"("a":"x","b":"y")", "the tensor b is in two files");
  expect(R"("a":"x","b":"x","c":"w")", "the file w that it names is missing");
  expect("", "names no tensor");
}

TEST(Weights, TakeOnlyPlainNamesOfShards) {
  for (const std::string name :
       {"../x", "/etc/passwd", "a/b", "..", ".", "", "a\\\\b", "./x", "x\\u0000y", "..\\\\x"}) {
    EXPECT_ERROR(parse_weight_index(R"({"weight_map":{"a":")" + name + "\"}}", "x.json"),
                 "x.json: weight_map: a: expected the plain name");
  }
  const auto expect = [](const std::string& text, const std::string& complaint) {
    EXPECT_ERROR(parse_weight_index(text, "x.json"), complaint);
  };
  expect("{}", "weight_map: this key is missing");
  expect(R"({"weight_map":[]})", "expected an object");
  expect(R"({"weight_map":{"a":1}})", "expected a string, got 1");
  expect(R"({"weight_map":{},"weight_map":{}})", "weight_map appears twice");
  expect(R"({"weight_map":{"a":"x","a":"y"}})", "appears twice");
  expect(R"({"weight_map":{"a\u0000":"x"}})", "NUL");
  expect(R"([])", "expected");
  std::string many;
  for (int i = 0; i < 20000; ++i) many += (i ? ",\"" : "\"") + std::to_string(i) + R"(":"x")";
  expect(R"({"weight_map":{)" + many + "}}", "more than");
}

TEST(SaveWeights, WritesOneFileOrShards) {
  const TemporaryFolder folder;
  const std::vector<NamedTensor> tensors = some_tensors();
  const auto expect_saved = [&](const fs::path& path, size_t files) {
    const Weights weights = Weights::open(folder.path());
    EXPECT_EQ(weights.path(), path);
    ASSERT_EQ(weights.entries().size(), tensors.size());
    for (const NamedTensor& t : tensors)
      EXPECT_TRUE(equal_bits(weights.tensor(t.name), t.value)) << t.name;
    EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), files);
  };
  save_weights(folder.path(), tensors);
  expect_saved(folder / "model.safetensors", 1);
  save_weights(folder.path(), tensors, {.max_shard_bytes = 200});
  expect_saved(folder / "model.safetensors.index.json", 3);
  save_weights(folder.path(), tensors, {.max_shard_bytes = 1});
  expect_saved(folder / "model.safetensors.index.json", 5);
  EXPECT_TRUE(fs::exists(folder / "model-00002-of-00004.safetensors"));
  save_weights(folder.path(), tensors, {.max_shard_bytes = 1000});
  expect_saved(folder / "model.safetensors", 1);
  EXPECT_EQ(SafeTensors(folder / "model.safetensors").metadata(), (Metadata{{"format", "pt"}}));
}

TEST(SaveWeights, ConvertsNumbers) {
  const TemporaryFolder folder;
  const std::vector<NamedTensor> tensors = some_tensors();
  for (const Dtype dtype : {Dtype::f16, Dtype::bf16, Dtype::f32}) {
    save_weights(folder.path(), tensors, {.dtype = dtype, .max_shard_bytes = 100});
    const Weights weights = Weights::open(folder.path());
    EXPECT_EQ(weights.find("ids")->dtype, Dtype::i64);
    for (const char* name : {"a", "b", "c"}) EXPECT_EQ(weights.find(name)->dtype, dtype);
    EXPECT_TRUE(equal_bits(weights.tensor("c"), converted(tensors[0].value, dtype)));
  }
  const std::vector<NamedTensor> large{{"x", full({2}, 70000)}};
  EXPECT_ERROR(save_weights(folder.path(), large, {.dtype = Dtype::f16}), "save as bf16 or f32");
  EXPECT_ERROR(save_weights(folder.path(), large, {.dtype = Dtype::i8}), "expected f32, f16");
  const std::vector<NamedTensor> twice{{"x", zeros({1})}, {"x", zeros({1})}};
  EXPECT_ERROR(save_weights(folder.path(), twice, {.max_shard_bytes = 1}), "x appears twice");
}

}  // namespace
}  // namespace ink
