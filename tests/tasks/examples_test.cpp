// Reading examples: the formats, the roles of fields, and errors that name the line.
#include "tasks/examples.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "tests/tasks/helpers.h"

namespace ink {
namespace {

Examples tsv(std::string_view text, const ReadOptions& options = {},
             const Labels* labels = nullptr) {
  return parse_examples(text, "data.tsv", false, options, labels);
}
Examples json(std::string_view text, const ReadOptions& options = {},
              const Labels* labels = nullptr) {
  return parse_examples(text, "data.json", true, options, labels);
}

TEST(Examples, TwoColumnsWithoutHeaderAreLabelAndText) {
  const Examples e = tsv("b\tzwei\na\teins\r\n\nb\tnoch zwei\n");
  ASSERT_EQ(e.size(), 3u);
  EXPECT_EQ(e.labels.names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(e.items[0].text, "zwei");
  EXPECT_EQ(e.items[0].label, 1);
  EXPECT_EQ(e.items[1].text, "eins");
  EXPECT_EQ(e.items[2].line, 4);
}

TEST(Examples, HeaderNamesTheFieldsInAnyOrder) {
  const Examples e = tsv("\xEF\xBB\xBFsentence2\tid\tlabel\tsentence1\nB\t7\tx\tA\n");
  ASSERT_EQ(e.size(), 1u);
  EXPECT_EQ(e.items[0].text, "A");
  EXPECT_EQ(e.items[0].pair, "B");
  EXPECT_EQ(e.labels.name(e.items[0].label), "x");
}

TEST(Examples, AHeaderIsKnownByItsLabelToo) {
  for (const char* header : {"label\treview", "review\tlabel", "Label\tReview", "category\tbody"}) {
    const std::string first = header;
    const bool swapped = first.starts_with("review");
    const Examples e = tsv(first + (swapped ? "\ngood one\tpos\n" : "\npos\tgood one\n"));
    ASSERT_EQ(e.size(), 1u) << header;
    EXPECT_EQ(e.items[0].text, "good one");
    EXPECT_EQ(e.labels.names(), std::vector<std::string>{"pos"});
  }
  EXPECT_EQ(tsv("label\treview\npos\tgood\n", {.columns = "label,text"}).size(), 1u);
  EXPECT_EQ(tsv("kind\treview\npos\tgood\n", {.label = "kind"}).size(), 1u);
  EXPECT_ERROR(tsv("id\tlabel\treview\n7\tpos\tgood\n"),
               "data.tsv:1: this line looks like a header but names no text; say which field");
  EXPECT_EQ(tsv("id\tlabel\treview\n7\tpos\tgood\n", {.text = "review"}).items[0].text, "good");
  // alone it is a text like any other
  EXPECT_EQ(tsv("label\n", {.labelled = false}).items[0].text, "label");
}

TEST(Examples, OptionsStateColumnsHeaderAndNames) {
  EXPECT_EQ(tsv("hello\tx\td1\n", {.columns = "text,label,group"}).items[0].group, "d1");
  EXPECT_EQ(tsv("hello\t1\tx\n", {.columns = "text,-,label"}).items[0].text, "hello");
  // a first line that looks like a header is data when we say so
  EXPECT_EQ(tsv("label\ttext\n", {.header = ReadOptions::Header::absent}).items[0].text, "text");
  EXPECT_EQ(tsv("what\tkind\nhello\tx\n",
                {.header = ReadOptions::Header::present, .text = "what", .label = "kind"})
                .items[0]
                .text,
            "hello");
}

TEST(Examples, JsonLines) {
  const std::string two = R"({"sentence1":"甲","sentence2":"乙","label":"n","id":0})"
                          "\n"
                          R"({"sentence1":"丙","sentence2":"丁","label":"-"})"
                          "\n";
  const Examples e = json(two, {.skip_labels = {"-"}});
  ASSERT_EQ(e.size(), 1u);
  EXPECT_EQ(e.items[0].pair, "乙");
  EXPECT_EQ(json(R"({"title":"甲","n":3})", {.label = "n"}).labels.names(),
            std::vector<std::string>{"3"});
  EXPECT_EQ(json(R"({"text":"甲"})", {.labelled = false}).items[0].label, kNoLabel);
}

TEST(Examples, NumericLabelsAreOrderedByValue) {
  EXPECT_EQ(tsv("10\ta\n9\tb\n").labels.names(), (std::vector<std::string>{"9", "10"}));
}

TEST(Examples, ErrorsNameFileAndLine) {
  EXPECT_ERROR(tsv("a\tone\nb\n"),
               "data.tsv:2: expected 2 fields separated by tabs (label,text), got 1");
  const Labels known({"cat", "dog"});
  EXPECT_ERROR(tsv("cat\tone\ncow\ttwo\n", {}, &known),
               "data.tsv:2: unknown label 'cow'; known labels: cat, dog");
  EXPECT_ERROR(tsv("cat,one\ndog,two\n"),
               "data.tsv:1: expected fields separated by tabs, found none");
  EXPECT_ERROR(tsv(""), "data.tsv: expected examples, found none");
  EXPECT_ERROR(tsv("label\ttext\n"), "data.tsv: expected examples, found none");
  EXPECT_ERROR(tsv("a\tone\n\ttwo\n"), "data.tsv:2: expected a label");
  EXPECT_ERROR(tsv("a\tb\tc\td\n"), "data.tsv:1: cannot tell the roles of 4 fields");
  EXPECT_ERROR(tsv("a\tb\n", {.columns = "txt,label"}), "unknown role 'txt'");
  EXPECT_ERROR(tsv("a\tb\n", {.columns = "label,label"}), "expected one field with the role text");
  EXPECT_ERROR(tsv("a\tone\nb\t\xFF\n"), "data.tsv:2: expected UTF-8");
  EXPECT_ERROR(json("{\"text\":\"a\",\"label\":1}\n{\"text\":3,\"label\":1}\n"), "data.json:2");
  EXPECT_ERROR(json("[1]\n"), "data.json:1: expected a JSON object");
  EXPECT_ERROR(json("{\"text\":\"a\"}\n"), "data.json:1: this example has no label");
  EXPECT_ERROR(json("{\"text\":\"a\",\"label\":1}\n", {.text = "body"}),
               "expected a field named 'body' for the text");
  EXPECT_ERROR(read_examples("/nowhere/train.tsv"), "/nowhere/train.tsv");
}

TEST(Examples, SeveralLabelsAreZerosAndOnes) {
  const ReadOptions several{.kind = LabelKind::several};
  const auto numbers = [](const Examples& e, size_t i) { return e.items.at(i).numbers; };
  const Examples t = tsv("b, a\teins\n\tzwei\n[\"c\"]\tdrei\n[]\tvier\n", several);
  EXPECT_EQ(t.labels.names(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(numbers(t, 0), (std::vector<float>{1, 1, 0}));
  EXPECT_EQ(numbers(t, 1), (std::vector<float>{0, 0, 0})) << "an empty field is no label";
  EXPECT_EQ(numbers(t, 2), (std::vector<float>{0, 0, 1}));
  EXPECT_EQ(numbers(t, 3), (std::vector<float>{0, 0, 0}));
  EXPECT_EQ(t.items[0].label, kNoLabel);
  const Labels known({"a,b", "c", "d"});
  const Examples j =
      json("{\"text\": \"x\", \"labels\": [\"a,b\", \"d\"]}\n{\"text\": \"y\", \"label\": \"c\"}\n",
           several, &known);
  EXPECT_EQ(numbers(j, 0), (std::vector<float>{1, 0, 1}));
  EXPECT_EQ(numbers(j, 1), (std::vector<float>{0, 1, 0}));
  EXPECT_ERROR(tsv("c\tx\nc,e\ty\n", several, &known),
               "data.tsv:2: unknown label 'e'; known labels: a,b, c, d");
  EXPECT_ERROR(tsv("c,,d\tx\n", several),
               "data.tsv:1: expected names between commas, got an empty one in 'c,,d'");
  EXPECT_ERROR(tsv("c\tx\nc, c\ty\n", several), "data.tsv:2: the label 'c' is there twice");
  EXPECT_ERROR(tsv("[{}]\tx\n", several), "data.tsv:1: expected a list of names as labels");
  EXPECT_ERROR(tsv("[1\tx\n", several), "data.tsv:1");
  EXPECT_ERROR(tsv("\"x,y\"\tx\n", several),
               "data.tsv:1: the label '\"x' has a quote at one end alone; write names with commas "
               "as a JSON list");
  EXPECT_EQ(tsv("\"x\",y\tx\n", several).labels.names(), (std::vector<std::string>{"\"x\"", "y"}));
  EXPECT_EQ(json("{\"text\": \"x\", \"labels\": 5}\n", several).labels.names(),
            std::vector<std::string>{"5"});
  for (const char* wrong : {"true", "1.5", "{}"})
    EXPECT_ERROR(
        json(std::string("{\"text\": \"x\", \"labels\": ") + wrong + "}\n", several),
        "labels: expected a string or a list of strings, got '" + std::string(wrong) + "'");
  EXPECT_ERROR(json("{\"text\": \"x\"}\n", several),
               "data.json:1: this example has no label; call its field one of labels, label");
}

TEST(Examples, NumbersAreReadStrictly) {
  const ReadOptions number{.kind = LabelKind::number};
  const Examples t = tsv("score\tsentence1\tsentence2\n3.8\tA\tB\n-1e-2\tC\tD\n", number);
  EXPECT_EQ(t.items[0].numbers, std::vector<float>{3.8F});
  EXPECT_EQ(t.items[0].pair, "B");
  EXPECT_EQ(t.items[1].numbers, std::vector<float>{-0.01F});
  EXPECT_EQ(t.labels, label_of_numbers());
  EXPECT_EQ(json(R"({"text": "x", "label": 2})", number).items[0].numbers, std::vector<float>{2});
  EXPECT_EQ(tsv("1e-50\tx\n", number).items[0].numbers, std::vector<float>{0});
  EXPECT_ERROR(json(R"({"text": "x", "score": [1]})", number),
               "score: expected a number, got '[1]'");
  for (const char* wrong : {"much", "nan", "inf", "1,5", "1 2", "1e99", "0x1"})
    EXPECT_ERROR(
        tsv("1\tx\n" + std::string(wrong) + "\ty\n", number),
        "data.tsv:2: expected a number as label, such as 3.8, got '" + std::string(wrong) + "'");
  EXPECT_ERROR(tsv("1\tx\n\ty\n", number), "data.tsv:2: expected a label, got an empty field");
}

TEST(Examples, UnlabelledExamplesReadNoLabels) {
  const Labels known({"a", "b"});
  EXPECT_EQ(tsv("z\tx\n", {.labelled = false}, &known).items[0].label, kNoLabel);
  EXPECT_EQ(json(R"({"text": "x", "label": ["z"]})", {.labelled = false}, &known).items[0].label,
            kNoLabel);
  const Examples e = tsv("z\tx\n", {.kind = LabelKind::several, .labelled = false}, &known);
  ASSERT_EQ(e.items[0].numbers.size(), 2u);
  EXPECT_TRUE(std::isnan(e.items[0].numbers[0]));
}

TEST(Examples, PlaceholderLabelsTakeNumbersInRange) {
  const Labels labels({"LABEL_0", "LABEL_1", "LABEL_2"});
  EXPECT_EQ(tsv("2\tx\n", {}, &labels).items[0].label, 2);
  EXPECT_ERROR(tsv("1\tx\n3\ty\n", {}, &labels),
               "data.tsv:2: label 3 is out of range; expected 0 to 2");
}

TEST(Examples, ExchangedColumnsAreNoticed) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "text number " + std::to_string(i) + "\tx\n";
  EXPECT_ERROR(tsv(text), "is the order of fields another?");
  EXPECT_EQ(tsv(text, {.columns = "text,label"}).labels.size(), 1);
}

TEST(Examples, RealDataSets) {
  const std::filesystem::path data = data_folder();
  if (!std::filesystem::exists(data)) GTEST_SKIP() << "no data in " << data;
  const Examples hotel = read_examples(data / "chnsenticorp" / "dev.tsv");
  EXPECT_EQ(hotel.size(), 1200u);
  EXPECT_EQ(hotel.labels.size(), 2);
  EXPECT_EQ(read_examples(data / "sst2" / "dev.tsv").size(), 872u);
  const Examples news = read_examples(data / "news-titles" / "dev.txt", {.columns = "text,label"});
  EXPECT_EQ(news.size(), 10000u);
  EXPECT_EQ(news.labels.size(), 10);
  EXPECT_EQ(read_examples(data / "ocnli" / "dev.json", {.skip_labels = {"-"}}).size(), 2950u);
  EXPECT_EQ(read_examples(data / "xnli-zh" / "dev.tsv").labels.size(), 3);
}

}  // namespace
}  // namespace ink
