// The nearest name: near enough to be a slip of the pen, the first of equals, else none.
#include "tensor/keys.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/expect_error.h"

namespace ink {
namespace {

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& known) {
  return nearest_word(word, known);
}

TEST(Keys, SuggestWhatIsNear) {
  EXPECT_EQ(nearest("temprature", {"alpha", "temperature"}), "temperature");
  EXPECT_EQ(nearest("adm", {"adamw", "lamb", "sgd"}), "adamw") << "two letters of five are missing";
  EXPECT_EQ(nearest("wwwm", {"mlm", "wwm"}), "wwm");
  EXPECT_EQ(nearest("bx", {"ax", "cx"}), "ax") << "the first of equals";
  EXPECT_EQ(nearest("max", {"mean", "cls", "tokens"}), "") << "another word altogether";
  EXPECT_EQ(nearest("CUDA", {"cpu", "cuda"}), "cuda") << "whatever the case of letters";
  EXPECT_EQ(nearest("x", {}), "");
}

TEST(Keys, NameTheUnknownOne) {
  const Json json = parse_json(R"({"alpha": 1, "bata": 2})", "c.json");
  const std::vector<std::string_view> known = {"alpha", "beta"};
  EXPECT_ERROR(check_keys(json, known), "c.json: unknown key 'bata'; did you mean 'beta'?");
}

}  // namespace
}  // namespace ink
