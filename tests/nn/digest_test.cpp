// SHA-1 and SHA-256: the standard's examples, every length around a block, git's names.
#include "nn/digest.h"

#include <gtest/gtest.h>

#include "tensor/file.h"
#include "tests/temporary_folder.h"

namespace ink {
namespace {

template <class Sum>
std::string of(const std::string& text) {
  Sum sum;
  sum.add(text);
  return sum.hex();
}

TEST(Digest, MatchesTheStandardsExamples) {
  EXPECT_EQ(of<Sha1>(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  EXPECT_EQ(of<Sha1>("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  const std::string long_text = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  EXPECT_EQ(of<Sha1>(long_text), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  EXPECT_EQ(of<Sha256>(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(of<Sha256>("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(of<Sha256>(long_text),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  const std::string million(1'000'000, 'a');
  EXPECT_EQ(of<Sha1>(million), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
  EXPECT_EQ(of<Sha256>(million),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Digest, DoesNotDependOnTheParts) {
  for (size_t n = 0; n < 200; ++n) {
    const std::string text(n, 'x');
    Sha256 parts;
    for (size_t at = 0; at < n; at += 7) parts.add(text.substr(at, 7));
    EXPECT_EQ(parts.hex(), of<Sha256>(text)) << n;
  }
}

TEST(Digest, NamesFilesAsGitDoes) {
  const testing::TemporaryFolder folder;
  write_file(folder / "x", "hello\n");
  EXPECT_EQ(git_name_of(folder / "x"), "ce013625030ba8dba906f756967f9e9ca394464a");
  EXPECT_EQ(sha256_of(folder / "x"),
            "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
  write_file(folder / "x", "");
  EXPECT_EQ(git_name_of(folder / "x"), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
}

}  // namespace
}  // namespace ink
