// JSON: what is written reads back the same, what is wrong is refused with its place.
#include "tensor/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tensor/philox.h"
#include "tests/expect_error.h"

namespace ink {
namespace {

Json parse(std::string_view text) { return parse_json(text, "a.json"); }

TEST(Json, KeepsTypesAndOrder) {
  const Json j = parse(R"({"z": 1, "a": [true, null, 2.0, -3, "\u4e2d\n"], "m": {}})");
  EXPECT_EQ(j.members()[0].key, "z");
  EXPECT_EQ(j.members()[2].key, "m");
  EXPECT_EQ(j["z"].type(), Json::Type::integer);
  EXPECT_EQ(j["a"][2].type(), Json::Type::real);
  EXPECT_EQ(j["a"][3].as_integer(), -3);
  EXPECT_EQ(j.array("a").string(4), "中\n");
  EXPECT_TRUE(j.array("a").boolean(0));
  EXPECT_EQ(j.to_string(), R"({"z": 1, "a": [true, null, 2.0, -3, "中\n"], "m": {}})");
  EXPECT_EQ(j.to_string(2).substr(0, 12), "{\n  \"z\": 1,\n");
}

TEST(Json, NamesTheSourceAndTheKey) {
  const Json j = parse(R"({"hidden_size": "x", "task": {"layers": [1, 2.5]}, "on": 1})");
  EXPECT_ERROR(j.integer("hidden_size"), R"(a.json: hidden_size: expected an integer, got "x")");
  EXPECT_ERROR(j.integer("absent"), "a.json: absent: this key is missing");
  EXPECT_ERROR(j.object("task").array("layers").integer(1),
               "a.json: task: layers[1]: expected an integer, got 2.5");
  EXPECT_ERROR(j.object("task").array("layers").integer(2),
               "a.json: task: layers: expected at least 3 elements");
  EXPECT_ERROR(j.boolean("on"), "a.json: on: expected true or false, got 1");
  EXPECT_ERROR(j.string("on"), "a.json: on: expected a string, got 1");
  EXPECT_ERROR(j.real("hidden_size"), "a.json: hidden_size: expected a number");
  EXPECT_ERROR(j.array("task"), "a.json: task: expected an array, got an object");
  EXPECT_ERROR(j.object("on"), "a.json: on: expected an object, got 1");
  EXPECT_ERROR(j.integer_between("on", 2, 3), "a.json: on: expected an integer from 2 to 3, got 1");
  EXPECT_ERROR(Json(3)["x"], "expected an object with the key 'x', got 3");
}

TEST(Json, GivesTheDefaultOnlyWhenAbsentOrNull) {
  const Json j = parse(R"({"a": null, "b": "text"})");
  EXPECT_EQ(j.integer("a", 7), 7);
  EXPECT_EQ(j.real("absent", 0.5), 0.5);
  EXPECT_EQ(j.string("b", "other"), "text");
  EXPECT_ERROR(j.boolean("b", true), "a.json: b: expected true or false");
}

TEST(Json, RefusesWhatIsNotJson) {
  EXPECT_ERROR(parse("{\n \"a\": 1,\n \"b\" 2}"), "a.json:3:6: not valid JSON");
  EXPECT_ERROR(parse(""), "a.json:1:1: not valid JSON");
  EXPECT_ERROR(parse("{} x"), "not valid JSON");
  EXPECT_ERROR(parse("[1,]"), "a.json:1:4: not valid JSON: there is a comma before the closing ]");
  EXPECT_ERROR(parse("{\"a\": 1,\n }"),
               "a.json:2:2: not valid JSON: there is a comma before the "
               "closing }; JSON has none there");
  EXPECT_ERROR(parse("\"\xff\""), "UTF-8");
  EXPECT_ERROR(parse(R"("\ud800")"), "surrogate");
  EXPECT_ERROR(parse("NaN"), "not valid JSON");
  EXPECT_ERROR(parse("// note\n1"), "not valid JSON");
  EXPECT_ERROR(parse("1e999"), "number overflow");
  EXPECT_ERROR(parse(R"({"a": {"b": 1, "b": 2}})"), R"(a.json: a: the key "b" appears twice)");
  EXPECT_ERROR(parse("[9223372036854775808]"), "a.json[0]: expected an integer below 2^63");
  EXPECT_ERROR(parse("[99999999999999999999999]"), "expected an integer below 2^63");
  EXPECT_ERROR(parse(std::string(100000, '[')), "nested deeper than 64");
  EXPECT_ERROR(parse_json("[1, 2, 3]", "a.json", {.values = 2}), "more than 2 values");
}

TEST(Json, NumbersRoundTrip) {
  const Random random(5);
  for (uint64_t i = 0; i < 2000; ++i) {
    const auto words = random.block(i);
    const auto integer = static_cast<int64_t>(uint64_t{words[0]} << 32 | words[1]);
    EXPECT_EQ(parse(Json(integer).to_string()).as_integer(), integer);
    const double real = std::bit_cast<double>(uint64_t{words[2]} << 32 | words[3]);
    if (!std::isfinite(real)) continue;
    EXPECT_EQ(parse(Json(real).to_string()).as_real(), real);
  }
  EXPECT_EQ(parse("1.0").to_string(), "1.0");
  EXPECT_EQ(parse("1e-12").to_string(), "1e-12");
  EXPECT_EQ(parse("-0.0").to_string(), "-0.0");
  EXPECT_ERROR(Json(std::numeric_limits<double>::infinity()).to_string(), "finite");
}

TEST(Json, FloatsHaveTheirOwnShortestDigits) {
  EXPECT_EQ(Json(0.1f).to_string(), "0.1");
  EXPECT_EQ(Json(1.0f / 3).to_string(), "0.33333334");
  EXPECT_EQ(Json(1.0f).to_string(), "1.0");
  for (float value = 1e-38f; value < 1e38f; value *= 1.7f)
    EXPECT_EQ(static_cast<float>(Json(value).as_real()), value);
}

TEST(Json, StringsRoundTrip) {
  std::string text;
  for (int c = 0; c < 128; ++c) text += static_cast<char>(c);
  text += "中文\U0001F58B";
  EXPECT_EQ(parse(Json(text).to_string()).as_string(), text);
}

TEST(Json, BuildsAndChanges) {
  Json j;
  j.set("b", 1).set("a", Json::make_array({1, "x"})).set("b", 2.5);
  EXPECT_EQ(j.to_string(), R"({"b": 2.5, "a": [1, "x"]})");
  EXPECT_TRUE(j.erase("a"));
  EXPECT_FALSE(j.erase("a"));
  Json copy = j;
  copy.set("c", nullptr);
  EXPECT_FALSE(j.has("c"));
  EXPECT_FALSE(copy == j);
  EXPECT_TRUE(parse(copy.to_string(1)) == copy);
  EXPECT_ERROR(j.append(1), "expected an array");
}

TEST(Json, StreamsTheMembersOfAnObject) {
  std::string seen;
  for_each_member(
      R"({"a": [1, 2], "b": {"c": 3}})", "a.json", {},
      [&](const std::string& key, const Json& value) { seen += key + value.to_string(); });
  EXPECT_EQ(seen, R"(a[1, 2]b{"c": 3})");
  const auto ignore = [](const std::string&, const Json&) {};
  EXPECT_ERROR(for_each_member("[]", "a.json", {}, ignore), "expected an object");
  EXPECT_ERROR(for_each_member("1", "a.json", {}, ignore), "expected an object");
  EXPECT_ERROR(for_each_member(R"({"a": [1, 2, 3]})", "a.json", {.values = 2}, ignore),
               "more than 2 values");
}

TEST(Json, StreamsTheElementsOfChosenContainers) {
  std::string seen;
  const auto visit = [&](size_t path, const std::string& key, const Json& value) {
    seen += std::to_string(path) + key + value.to_string() + ' ';
  };
  const Json rest = parse_json(R"({"m": {"v": {"a": 1, "b": [2]}, "x": 3}, "l": [4, {"v": 5}]})",
                               "a.json", {.values = 6}, {"m.v", "l"}, visit);
  EXPECT_EQ(seen, R"(0a1 0b[2] 14 1{"v": 5} )");
  EXPECT_EQ(rest.to_string(), R"({"m": {"v": {}, "x": 3}, "l": []})");
  EXPECT_ERROR(parse_json(R"({"l": [1, {"a": 1, "a": 2}]})", "a.json", {}, {"l"}, visit),
               "a.json: l[1]: the key");
  EXPECT_ERROR(parse_json("[[], [], []]", "a.json", {.values = 2}, {"l"}, visit),
               "more than 2 values");
}

// Whatever the bytes, parsing ends with a value or an Error.
TEST(Json, SurvivesEveryTruncationAndBitFlip) {
  const std::string text = R"({"a": [1, -2.5e3, "\u00e9x"], "b": {"c": true, "d": null}})";
  for (size_t n = 0; n < text.size(); ++n) EXPECT_THROW(parse(text.substr(0, n)), Error) << n;
  for (size_t bit = 0; bit < 8 * text.size(); ++bit) {
    std::string flipped = text;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    try {
      EXPECT_TRUE(parse(parse(flipped).to_string()) == parse(flipped));
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace ink
