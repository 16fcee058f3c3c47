// The prefix tree against a map of all beginnings.
#include "text/trie.h"

#include <gtest/gtest.h>

#include <map>

#include "tensor/philox.h"
#include "tests/expect_error.h"

namespace ink {
namespace {

// What the tree should say of every beginning of every string that was put into it.
class Beginnings {
 public:
  void put(const std::u32string& key, int32_t value) {
    for (size_t n = 1; n < key.size(); ++n) values_.try_emplace(key.substr(0, n), Trie::no_value);
    values_[key] = value;
  }
  void expect_in(const Trie& trie) const {
    for (const auto& [key, value] : values_) {
      EXPECT_EQ(trie.find(key).value, value);
      EXPECT_NE(trie.find(key).node, Trie::nowhere);
      for (const char32_t c : U"abcd\U0010FFFF") {
        const bool there = values_.contains(key + c);
        EXPECT_EQ(trie.find(key + c).node != Trie::nowhere, there);
      }
    }
  }

 private:
  std::map<std::u32string, int32_t> values_;
};

TEST(Trie, KnowsEveryBeginning) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Draws draws{Random(seed)};
    Trie trie(seed % 3 * 10, seed % 5 * 10);  // room for too few: it grows
    Beginnings beginnings;
    const uint64_t letters = 1 + draws.below(4), longest = 1 + draws.below(9);
    for (int32_t i = 0; i < 100; ++i) {
      std::u32string key(1 + draws.below(longest), U'a');
      for (char32_t& c : key) c = U'a' + static_cast<char32_t>(draws.below(letters));
      const int32_t value = draws.below(10) == 0 ? Trie::no_value : i;  // words can be taken out
      beginnings.put(key, value);
      const Trie::Node node = trie.insert(key, value);
      EXPECT_EQ(trie.find(key).node, node);
    }
    beginnings.expect_in(trie);
  }
}

TEST(Trie, TakesTheWholeOfUnicode) {
  Trie trie;
  trie.insert(U"\U0010FFFF\U0010FFFE", 1);
  trie.insert(std::u32string(1, U'\0') + U'\0', 2);
  EXPECT_EQ(trie.find(U"\U0010FFFF\U0010FFFE").value, 1);
  EXPECT_EQ(trie.find(std::u32string(2, U'\0')).value, 2);
  EXPECT_EQ(trie.find(std::u32string(1, U'\0')).value, Trie::no_value);
  EXPECT_EQ(trie.find(U"\U0010FFFF\U0010FFFF").node, Trie::nowhere);
  EXPECT_ERROR(trie.insert(U"", 0), "at least one character");
  EXPECT_ERROR(trie.insert(std::u32string(1, char32_t{0x1FFFFF}), 0), "expected a code point");
}

}  // namespace
}  // namespace ink
