// tokenizer.json copied beside a model: merges as lines, everything else as it was.
#include "nn/tokenizer_merges.h"

#include <gtest/gtest.h>

#include "nn/model_folder.h"
#include "tensor/file.h"
#include "tensor/json.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"

namespace ink {
namespace {

constexpr const char* kPairs =
    R"({"version": "1.0", "added_tokens": [{"id": 0, "content": "<s>"}],
        "model": {"type": "BPE", "vocab": {"a": 1, "b": 2, "ab": 3}, "merges": [["a", "b"]]}})";

TEST(TokenizerMerges, PairsBecomeLines) {
  const Json given = parse_json(kPairs, "given");
  const Json got = parse_json(with_merges_as_lines(kPairs, "given"), "got");
  EXPECT_EQ(got.object("model").array("merges"), Json::make_array({"a b"}));
  EXPECT_EQ(got.object("model").object("vocab"), given.object("model").object("vocab"));
  EXPECT_EQ(got.array("added_tokens"), given.array("added_tokens"));
  EXPECT_EQ(got.string("version"), "1.0");
}

TEST(TokenizerMerges, AllElseIsLeftAsItIs) {
  for (const char* text : {"{}", R"({"model": {"merges": ["a b"],   "vocab": {}}})",
                           R"({"model": {"type": "WordPiece"}})", R"({"model": null})"})
    EXPECT_EQ(with_merges_as_lines(text, "given"), text);
  EXPECT_ERROR(with_merges_as_lines("{", "given"), "given:1:2");
  EXPECT_ERROR(with_merges_as_lines(R"({"model": {"merges": [["a"]]}})", "given"), "merges");
}

TEST(TokenizerMerges, AreLinesInACopiedFolder) {
  const testing::TemporaryFolder folder;
  std::filesystem::create_directories(folder / "from");
  std::filesystem::create_directories(folder / "to");
  write_file(folder / "from" / "tokenizer.json", kPairs);
  write_file(folder / "from" / "vocab.txt", "[PAD]\n");
  EXPECT_EQ(copy_vocabulary(folder / "from", folder / "to"), 2);
  EXPECT_EQ(read_file(folder / "to" / "tokenizer.json", 1 << 20),
            with_merges_as_lines(kPairs, "given"));
  EXPECT_EQ(read_file(folder / "to" / "vocab.txt", 1 << 20), "[PAD]\n");
}

}  // namespace
}  // namespace ink
