// What `corrupt` shows: whole words, the word of every token, the texts that pretrain would read.
#include <set>

#include "tensor/json.h"
#include "tests/cli/program.h"

namespace ink {
namespace {

std::vector<Json> lines_of(const std::string& text) {
  std::vector<Json> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    lines.push_back(parse_json(text.substr(at, end - at), "stdout"));
    at = end + 1;
  }
  return lines;
}

bool is_special(const std::string& token) { return token == "[CLS]" || token == "[SEP]"; }

// Every token but the special ones stands in exactly one word.
void expect_words_cover(const Json& line) {
  std::vector<int> words(line.array("tokens").size());
  for (const Json& word : line.array("words").items())
    for (int64_t i = word.integer(0); i < word.integer(1); ++i) ++words[static_cast<size_t>(i)];
  for (size_t i = 0; i < words.size(); ++i)
    EXPECT_EQ(words[i], is_special(line.array("tokens").string(i)) ? 0 : 1) << line.to_string();
}

std::set<int64_t> positions_of(const Json& list) {
  std::set<int64_t> positions;
  for (const Json& item : list.items()) positions.insert(item.as_integer());
  return positions;
}

TEST_F(Cli, CorruptNamesTheLeastLength) {
  expect_failure("corrupt --vocab vocab.txt --objective mlm --text - --max-length 1", 2,
                 {"--max-length: expected 4 tokens or more, got 1"});
}

TEST_F(Cli, CorruptKeepsWordsTogether) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "砚台好纸墨坏好墨砚台坏纸。\n\n";
  write_file(folder_ / "words", text);
  const Finished f = run(
      "corrupt --objective wwm --vocab vocab.txt --dictionary words.txt --text words --max-length "
      "40");
  ASSERT_EQ(f.status, 0) << f.error;
  int64_t long_words = 0;
  for (const Json& line : lines_of(f.out)) {
    expect_words_cover(line);
    const std::set<int64_t> selected = positions_of(line.array("selected"));
    EXPECT_GE(selected.size(), 1U);
    for (size_t i = 0; i < line.array("selected").size(); ++i) {
      EXPECT_EQ(line.array("labels").string(i),
                line.array("tokens").string(line.array("selected").integer(i)));
    }
    for (const Json& word : line.array("words").items()) {
      const bool first = selected.contains(word.integer(0));
      for (int64_t i = word.integer(0); i < word.integer(1); ++i)
        EXPECT_EQ(selected.contains(i), first) << word.to_string() << " in " << line.to_string();
      long_words += first && word.integer(1) - word.integer(0) > 1;
    }
    for (size_t i = 0; i < line.array("tokens").size(); ++i) {
      if (selected.contains(static_cast<int64_t>(i))) continue;
      EXPECT_EQ(line.array("input").string(i), line.array("tokens").string(i));
    }
  }
  EXPECT_GE(long_words, 1) << "no word of several tokens was selected";
}

TEST_F(Cli, CorruptShowsPairsAndTheWordsThatLostTheirBeginning) {
  write_file(folder_ / "long_words.txt", "砚台墨纸 10\n好坏好坏 10\n");
  std::string text;
  for (int i = 0; i < 60; ++i) text += "砚台墨纸。好坏好坏。砚台墨纸砚台墨纸。\n好坏好坏。\n\n";
  write_file(folder_ / "pairs", text);
  const Finished f =
      run("corrupt --objective wwm,nsp --vocab vocab.txt --dictionary long_words.txt --text pairs "
          "--max-length 13");
  ASSERT_EQ(f.status, 0) << f.error;
  std::set<int64_t> labels;
  for (const Json& line : lines_of(f.out)) {
    expect_words_cover(line);
    labels.insert(line.integer("pair_label"));
  }
  EXPECT_EQ(labels, (std::set<int64_t>{0, 1}));
}

TEST_F(Cli, CorruptShowsEveryObjective) {
  std::string text;
  for (int i = 0; i < 20; ++i) text += "砚台好纸墨坏好墨砚台坏纸。好砚好台。\n\n";
  write_file(folder_ / "words", text);
  write_file(folder_ / "similar", "砚台\t墨纸 0.9\n好墨\t坏纸 0.8\n");
  const auto shown = [&](const std::string& objective) {
    const Finished f =
        run("corrupt --vocab vocab.txt --dictionary words.txt --text words "
            "--max-length 40 --objective " +
            objective);
    EXPECT_EQ(f.status, 0) << f.error;
    return lines_of(f.out);
  };
  int64_t replaced = 0, moved = 0, pairs = 0;
  for (const Json& line : shown("mac --similar similar --mask-fraction 0.4")) {
    expect_words_cover(line);
    for (size_t i = 0; i + 1 < line.array("input").size(); ++i)
      replaced += line.array("tokens").string(i) + line.array("tokens").string(i + 1) == "砚台" &&
                  line.array("input").string(i) + line.array("input").string(i + 1) == "墨纸";
  }
  EXPECT_GT(replaced, 0);
  for (const Json& line : shown("perlm,sop --space both")) {
    EXPECT_EQ(line.array("labels").size(), line.array("selected").size());
    for (size_t i = 0; i < line.array("selected").size(); ++i) {
      const int64_t place = line.array("labels").integer(i);
      moved += place != line.array("selected").integer(i);
      EXPECT_EQ(line.array("input").string(place), line.array("label_tokens").string(i));
    }
    pairs += line.has("pair_label");
  }
  EXPECT_GT(moved, 0);
  EXPECT_GT(pairs, 0);
  EXPECT_TRUE(shown("perlm --space global")[0].array("labels")[0].is_string());
  for (const Json& line : shown("plm"))
    EXPECT_EQ(line.array("ranks").size(), line.array("tokens").size());
}

// On a terminal, which script(1) stands for.
TEST_F(Cli, CorruptPaintsTheLabelsOfItsSpace) {
  write_file(folder_ / "words", "砚台好纸墨坏好墨\n");
  const auto painted = [&](const std::string& space) {
    const Finished f =
        shell("script -qec \"$INK corrupt --objective perlm --ngram 1 --space " + space +
              " --mask-fraction 1 --vocab vocab.txt --dictionary words.txt"
              " --text words\" /dev/null </dev/null");
    EXPECT_EQ(f.status, 0) << f.out << f.error;
    return f.out;
  };
  const std::string local = painted("local"), global = painted("global"), both = painted("both");
  EXPECT_EQ(local.find("→砚"), std::string::npos) << local;
  EXPECT_NE(global.find("→砚"), std::string::npos) << global;
  EXPECT_EQ(global.find("→1"), std::string::npos) << global;
  int found = 0;  // the place, and with it the token
  for (char place = '1'; place <= '8'; ++place) {
    const std::string label = std::string("→") + place;
    EXPECT_NE(local.find(label + "\033"), std::string::npos) << place << local;
    found += both.find(label + "砚\033") != std::string::npos;
  }
  EXPECT_EQ(found, 1) << both;
}

TEST_F(Cli, CorruptDrawsReplacedTokensFromAGenerator) {
  write_file(
      folder_ / "electra.json",
      R"({"model_type":"electra","embedding_size":16,"hidden_size":16,"num_hidden_layers":1,)"
      R"("num_attention_heads":2,"intermediate_size":32,"max_position_embeddings":32})");
  ASSERT_EQ(run("pretrain --objective rtd --architecture electra.json --vocab vocab.txt --text "
                "text.txt --steps 1 --held-out 0 --batch-tokens 32 --out electra")
                .status,
            0);
  const std::string corrupt = "corrupt --objective rtd --vocab vocab.txt --text text.txt ";
  const Finished f = run(corrupt + "--generator electra/generator");
  ASSERT_EQ(f.status, 0) << f.error;
  for (const Json& line : lines_of(f.out)) {
    for (size_t i = 0; i < line.array("selected").size(); ++i) {
      const int64_t at = line.array("selected").integer(i);
      EXPECT_EQ(line.array("replaced")[i].as_boolean(),
                line.array("input").string(at) != line.array("tokens").string(at));
    }
    EXPECT_EQ(line.array("generator_input").size(), line.array("tokens").size());
  }
  expect_failure(corrupt, 2, {"expected --generator FOLDER"});
  expect_failure("corrupt --objective mlm --vocab vocab.txt --text text.txt --generator x", 2,
                 {"--generator: says nothing about --objective mlm"});
}

TEST_F(Cli, ObjectivesThatMakeNoSenseAreRefused) {
  const auto refused = [&](const std::string& objective, const std::string& reason) {
    expect_failure(
        "corrupt --vocab vocab.txt --dictionary words.txt --text text.txt --objective " + objective,
        2, {reason});
  };
  refused("mlm,wwm", "'mlm' and 'wwm' both say which tokens are selected");
  refused("perlm,rtd", "'perlm' and 'rtd' both say what becomes");
  refused("nsp", "expected something to predict of tokens");
  refused("perml", "did you mean 'perlm'?");
  refused("mac", "expected similar words in --similar FILE");
  refused("mac --replace mask --similar x", "--replace mask looks at no similar words");
  refused("wwm --granularity word", "--granularity: says nothing about --objective wwm");
  refused("mac --ngram 0.5,0.5,", "--ngram: expected a share behind the last comma");
  refused("wwm --ngram 1", "--ngram: says nothing about");
  refused("perlm --mask-share 0.5", "--mask-share: says nothing about");
}

TEST_F(Cli, CorruptReadsTextAsPretrainDoes) {
  const std::string corrupt = "corrupt --objective mlm --vocab vocab.txt --text ";
  const std::string from_file = run(corrupt + "text.txt").out;
  fs::create_directories(folder_ / "texts" / "deep");
  fs::copy_file(folder_ / "text.txt", folder_ / "texts" / "deep" / "a.txt");
  const Finished f = run(corrupt + "texts");
  EXPECT_EQ(f.out, from_file) << f.error;
  EXPECT_EQ(run(corrupt + "-", read_file(folder_ / "text.txt", 1 << 20)).out, from_file);
  write_file(folder_ / "bad.txt", "砚\xff台\n");
  expect_failure(corrupt + "bad.txt", 1, {"bad.txt:1", "UTF-8"});
  expect_failure(corrupt + "-", 1, {"found none"}, "\n\n");
}

// The ten that are usually kept of a word are no limit for those who ask for more.
TEST_F(Cli, CorruptDrawsFromAsManySimilarWordsAsItIsAskedFor) {
  std::string table = "砚台\t";
  const std::vector<std::string> characters = {"墨", "纸", "好", "坏"};
  for (int i = 0; i < 12; ++i)
    table += (i ? " " : "") + characters[static_cast<size_t>(i) % 4] +
             characters[static_cast<size_t>(i) / 4] + " 0." + std::to_string(99 - i);
  write_file(folder_ / "similar.txt", table + "\n");
  std::string lines;
  for (int i = 0; i < 400; ++i) lines += "砚台\n\n";
  const Finished f = run(
      "corrupt --objective mac,wwm --similar similar.txt --nearest 12 --mask-fraction 0.5 --vocab "
      "vocab.txt --dictionary words.txt --text -",
      lines);
  ASSERT_EQ(f.status, 0) << f.error;
  for (int i = 0; i < 12; ++i) {
    const std::string drawn = R"("input": ["[CLS]", ")" + characters[static_cast<size_t>(i) % 4] +
                              R"(", ")" + characters[static_cast<size_t>(i) / 4] + '"';
    EXPECT_NE(f.out.find(drawn), std::string::npos) << i;
  }
}

}  // namespace
}  // namespace ink
