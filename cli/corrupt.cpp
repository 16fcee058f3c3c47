// inkstone corrupt: shows what a pre-training objective does to text, in colour or as JSON lines.
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "cli/corruption_view.h"
#include "cli/length.h"
#include "cli/lines.h"
#include "cli/model_option.h"
#include "cli/objective_names.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "nn/model_folder.h"
#include "objectives/batch.h"
#include "objectives/instances.h"
#include "objectives/replaced_tokens.h"
#include "objectives/tokenize.h"
#include "text/corpus.h"

namespace ink::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  ObjectiveOptions objective;
  std::string model, vocab, dictionary, generator;
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

// What a generator makes of one corrupted sequence, out of the `tokens` of the vocabulary.
std::vector<int32_t> samples_of(const Model& generator, int64_t tokens, const Instance& instance,
                                const Corrupted& c, const Random& random) {
  if (c.positions.empty()) return {};
  const Instance* one = &instance;
  const PretrainBatch batch = make_batch({&one, 1}, {&c, 1});
  const Tensor hidden = generator.body(batch.inputs).hidden;
  const Tensor logits = generator.masked_lm->logits(gather_rows(hidden, batch.rows));
  return to_vector<int32_t>(sample_tokens(contiguous(slice(logits, 1, 0, tokens)), random));
}

std::optional<Model> generator_for(const Options& o, const Objective& objective,
                                   const Tokenizer& tokenizer) {
  if (objective.task != TokenTask::rtd) {
    if (!o.generator.empty())
      throw UsageError("--generator: says nothing about --objective " + o.objective.objective);
    return std::nullopt;
  }
  if (o.generator.empty())
    throw UsageError(
        "--objective rtd: what is put in is drawn from a generator; expected "
        "--generator FOLDER, such as the folder generator of a trained model");
  Model model = load_model(o.generator, {.heads = Heads{.masked_lm = true}});
  model.config.check_vocabulary(tokenizer.vocabulary().size(), "--generator");
  return model;
}

Json run(const Options& o, const Command& command) {
  Objective objective = objective_of(o.objective, command);
  Tokenizer tokenizer = find_tokenizer(o.model, o.vocab, o.cased);
  if (o.model.empty() && objective.task == TokenTask::plm) tokenizer = tokenizer.with_class_last();
  if (objective.task == TokenTask::mac) {
    objective.similar =
        std::make_shared<const SimilarWords>(similar_words_of(o.objective, tokenizer));
  }
  const std::optional<Model> generator = generator_for(o, objective, tokenizer);
  const std::optional<Segmenter> segmenter = segmenter_for(objective, o.dictionary);
  const int64_t length = o.model.empty() ? length_for(o.max_length, INT64_MAX)
                                         : length_for(o.max_length, fs::path(o.model));
  const ObjectiveTokens tokens = objective_tokens(tokenizer);
  const Random random(static_cast<uint64_t>(command.seed));
  Draws draws(random);
  const Corruption corrupt = corruption_of(objective, tokenizer);
  const bool colour = isatty(STDOUT_FILENO) == 1;
  if (colour) write_line(CorruptionView::legend(objective) + '\n');

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
    const std::vector<Instance> instances = make_instances(
        documents, objective.pair_task, {.max_tokens = length, .tokens = tokens}, draws);
    for (const Instance& instance : instances) {
      const Corrupted c = corrupt(instance, draws);
      CorruptionView view{instance, c, objective, tokenizer.vocabulary()};
      if (generator)
        view.sampled = samples_of(*generator, tokenizer.vocabulary().size(), instance, c,
                                  random.split(static_cast<uint64_t>(sequences)));
      write_line(colour ? view.in_colour() : view.to_json().to_string());
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
  command.list("--text", o->text,
               "text files, or folders of .txt files; a blank line between documents; - alone = "
               "standard input");
  command.path("--model", o->model,
               "model whose tokenizer is used: a folder, or a name such as hfl/rbt3");
  command.path("--vocab", o->vocab, "or a vocab.txt alone");
  command.flag("--cased", o->cased, "with --vocab: keep capitals and accents");
  command.path("--dictionary", o->dictionary,
               "words for wwm; default $INK_DICTIONARY, else python3-jieba's");
  command.path("--generator", o->generator,
               "rtd: the generator, such as the folder generator of a trained model");
  declare_length(command, o->max_length);
  command.option("--limit", o->limit, "sequences to show; 0 = all");
  declare_objective(command, o->objective);
  command.require("--text");
  return with_model(command, o->model, [o, &command] { return run(*o, command); });
}

}  // namespace ink::cli
