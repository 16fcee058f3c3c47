// inkstone corrupt: shows what a pre-training objective does to text, in colour or as JSON lines.
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "cli/length.h"
#include "cli/lines.h"
#include "cli/model_option.h"
#include "cli/objective_names.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "objectives/full_sentences.h"
#include "objectives/mask.h"
#include "objectives/next_sentence.h"
#include "objectives/tokenize.h"
#include "text/corpus.h"

namespace ink::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string objective = "wwm", model, vocab, dictionary;
  std::vector<std::string> text;
  int64_t max_length = 0, limit = 0;
  bool cased = false;
};

using Documents = std::vector<TokenDocument>;

// Calls f(documents) for one block of the text after the other, until it returns false.
void for_each_block(const Options& o, const std::function<Documents(std::vector<Document>)>& read,
                    const std::function<bool(const Documents&)>& f) {
  if (o.text == std::vector<std::string>{"-"}) {
    std::vector<Document> texts(1);
    for_each_input_line("corrupt", [&](const std::string& line) {
      if (line.find_first_not_of(" \t") != std::string::npos) {
        texts.back().lines.push_back(line);
      } else if (!texts.back().lines.empty()) {
        texts.emplace_back();
      }
    });
    f(read(std::move(texts)));
    return;
  }
  const Corpus corpus = Corpus::open({o.text.begin(), o.text.end()});
  for (int64_t block = 0; block < corpus.blocks(); ++block)
    if (!f(read(corpus.read_block(block, Split::train)))) return;
}

// Words as [begin, end) token spans. A word that lost its beginning at the front of B stands alone.
Json word_spans(const Instance& instance) {
  Json spans = Json::make_array();
  for (size_t i = 0; i < instance.ids.size();) {
    size_t end = i + 1;
    if (!instance.special[i]) {
      while (end < instance.ids.size() && instance.continues[end]) ++end;
      spans.append(Json::make_array({i, end}));
    }
    i = end;
  }
  return spans;
}

Json as_json(const Instance& instance, const Corrupted& c, const Vocabulary& vocabulary) {
  Json tokens = Json::make_array(), input = tokens, selected = tokens, labels = tokens;
  for (size_t i = 0; i < instance.ids.size(); ++i) {
    tokens.append(vocabulary.token(instance.ids[i]));
    input.append(vocabulary.token(c.inputs[i]));
  }
  for (size_t i = 0; i < c.positions.size(); ++i) {
    selected.append(c.positions[i]);
    labels.append(vocabulary.token(c.labels[i]));
  }
  Json out = Json::make_object({{"tokens", tokens},
                                {"input", input},
                                {"words", word_spans(instance)},
                                {"selected", selected},
                                {"labels", labels}});
  if (instance.pair_label != kIgnore) out.set("pair_label", instance.pair_label);
  return out;
}

// One line: predicted tokens coloured by what became of them, with the original behind a slash.
std::string in_colour(const Instance& instance, const Corrupted& c, const Vocabulary& vocabulary) {
  std::string line;
  size_t next = 0;
  for (size_t i = 0; i < instance.ids.size(); ++i) {
    const std::string_view before = vocabulary.token(instance.ids[i]);
    const std::string_view after = vocabulary.token(c.inputs[i]);
    const bool selected = next < c.positions.size() && c.positions[next] == static_cast<int32_t>(i);
    next += selected;
    if (!instance.continues[i] && i > 0) line += ' ';
    if (instance.special[i]) {
      line.append("\033[2m").append(before).append("\033[0m");
    } else if (!selected) {
      line += before;
    } else if (c.inputs[i] == vocabulary.mask()) {
      line.append("\033[7m").append(before).append("\033[0m");  // masked: inverse
    } else if (c.inputs[i] == instance.ids[i]) {
      line.append("\033[33m").append(before).append("\033[0m");  // kept: yellow
    } else {
      line.append("\033[31m")
          .append(after)
          .append("/")
          .append(before)
          .append("\033[0m");  // random: red
    }
  }
  if (instance.pair_label != kIgnore)
    line += instance.pair_label ? "  (B is random)" : "  (B follows A)";
  return line;
}

Json run(const Options& o, int64_t seed) {
  const ObjectiveNames objective = parse_objectives(o.objective);
  const Tokenizer tokenizer = find_tokenizer(o.model, o.vocab, o.cased);
  const std::optional<Segmenter> segmenter = segmenter_for(objective, o.dictionary);
  const int64_t length = o.model.empty() ? length_for(o.max_length, INT64_MAX)
                                         : length_for(o.max_length, fs::path(o.model));
  const ObjectiveTokens tokens = objective_tokens(tokenizer);
  Draws draws(Random(static_cast<uint64_t>(seed)));
  const Corruption corrupt =
      masked_language_model({.select = {.whole_words = objective.whole_words}, .tokens = tokens});
  const bool colour = isatty(STDOUT_FILENO) == 1;
  if (colour)
    write_line("\033[7mmasked\033[0m \033[31mrandom/original\033[0m \033[33mkept\033[0m\n");

  const auto read = [&](const std::vector<Document>& texts) {
    Documents documents;
    for (const Document& text : texts) {
      documents.push_back(tokenize_document(text, tokenizer, segmenter ? &*segmenter : nullptr));
      if (documents.back().empty()) documents.pop_back();
    }
    return documents;
  };
  int64_t sequences = 0, selected = 0, all = 0;
  for_each_block(o, read, [&](const Documents& documents) {
    const std::vector<Instance> instances =
        objective.next_sentence
            ? next_sentence_pairs(documents, {.max_tokens = length, .tokens = tokens}, draws)
            : full_sentences(documents, length, tokens);
    for (const Instance& instance : instances) {
      const Corrupted c = corrupt(instance, draws);
      write_line(colour ? in_colour(instance, c, tokenizer.vocabulary())
                        : as_json(instance, c, tokenizer.vocabulary()).to_string());
      selected += static_cast<int64_t>(c.positions.size());
      all += static_cast<int64_t>(instance.ids.size());
      if (++sequences == o.limit) return false;
    }
    return true;
  });
  check(sequences > 0, "expected text, found none in ", o.text.front());
  return Json::make_object({{"sequences", sequences}, {"tokens", all}, {"selected", selected}});
}

}  // namespace

Action declare_corrupt(Command& command) {
  auto o = std::make_shared<Options>();
  command.text("--objective", o->objective, kObjectiveHelp);
  command.list("--text", o->text,
               "text files, or folders of .txt files; a blank line between documents; - alone = "
               "standard input");
  command.path("--model", o->model,
               "model whose tokenizer is used: a folder, or a name such as hfl/rbt3");
  command.path("--vocab", o->vocab, "or a vocab.txt alone");
  command.flag("--cased", o->cased, "with --vocab: keep capitals and accents");
  command.path("--dictionary", o->dictionary,
               "words for wwm; default $INK_DICTIONARY, else python3-jieba's");
  declare_length(command, o->max_length);
  command.option("--limit", o->limit, "sequences to show; 0 = all");
  command.require("--text");
  return with_model(command, o->model, [o, &command] { return run(*o, command.seed); });
}

}  // namespace ink::cli
