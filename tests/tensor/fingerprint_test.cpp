// Fingerprints: a digest sees every byte, and a run that differs is told where.
#include "tensor/fingerprint.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/expect_error.h"

namespace ink {
namespace {

TEST(Digest, EveryByteAndEveryBorderCounts) {
  std::string text(100, 'x');
  std::set<uint64_t> seen{Digest().add(text).value()};
  for (size_t i = 0; i < text.size(); ++i) {
    for (const char c : {'y', '\0', '\x80'}) {
      std::string other = text;
      other[i] = c;
      EXPECT_TRUE(seen.insert(Digest().add(other).value()).second) << i;
    }
  }
  EXPECT_NE(Digest().add("ab").add("c").value(), Digest().add("a").add("bc").value());
  EXPECT_NE(Digest().add("").value(), Digest().value());
  EXPECT_EQ(Digest().to_string(), "cbf29ce484222325");
}

TEST(Fingerprint, TheFirstDifferenceIsNamed) {
  const auto parsed = [](const char* text) { return parse_json(text, "state"); };
  const Json before = parsed(R"({"a": 1, "model": {"size": 32, "rate": 0.1}, "list": [1, 2],
      "data": "cbf29ce484222325", "parts": [{"b": 1}, {"b": 2}]})");
  const auto check = [&](const char* now) { check_same_run("out", before, parsed(now)); };
  check(R"({"list": [1, 2], "data": "cbf29ce484222325", "a": 1, "parts": [{"b": 1}, {"b": 2}],
            "model": {"rate": 0.1, "size": 32}})");
  EXPECT_ERROR(check(R"({"a": "0123456789abcdef"})"), "has a 1, got \"0123456789abcdef\"");
  EXPECT_ERROR(check(R"({"data": "0123456789abcdef"})"), "was made of another data; resume");
  EXPECT_ERROR(check(R"({"a": 2})"), "resume: the run in out has a 1, got 2; resume with the same");
  EXPECT_ERROR(check(R"({"model": {"size": 33}})"), "has model.size 32, got 33");
  EXPECT_ERROR(check(R"({"list": [1, 3]})"), "has list [1, 2], got [1, 3]");
  EXPECT_ERROR(check(R"({"parts": [{"b": 1}, {"b": 3}]})"), "has parts[1].b 2, got 3");
  EXPECT_ERROR(check(R"({"list": [1]})"), "has list [1, 2], got [1]");
  EXPECT_ERROR(check(R"({"new": true})"), "has new unknown, got true");
}

}  // namespace
}  // namespace ink
