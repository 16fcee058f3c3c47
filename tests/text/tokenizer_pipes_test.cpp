// Files of a tokenizer that are no files: refused, and not waited for.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string_view>

#include "tensor/file.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"
#include "text/tokenizer.h"

namespace ink {
namespace {

TEST(Tokenizer, IsNotReadFromPipes) {
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json",
                           "spiece.model", "sentencepiece.bpe.model"}) {
    const testing::TemporaryFolder folder;
    if (name == std::string_view("spiece.model"))
      write_file(folder / "tokenizer_config.json", R"({"tokenizer_class": "AlbertTokenizer"})");
    ASSERT_EQ(::mkfifo((folder / name).c_str(), 0600), 0);
    EXPECT_ERROR(Tokenizer::load(folder.path()), "not a regular file");
  }
}

}  // namespace
}  // namespace ink
