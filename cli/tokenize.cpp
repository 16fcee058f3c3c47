// inkstone tokenize: lines of text (a tab between the members of a pair) → JSON lines.
#include <memory>

#include "cli/lines.h"
#include "cli/model_option.h"
#include "cli/verbs.h"
#include "tensor/parallel.h"

namespace ink::cli {
namespace {

struct Options {
  std::string model, vocab;
  int64_t max_length = 0;
  bool cased = false;
};

Json as_json(const Encoding& encoding, const Vocabulary& vocabulary) {
  Json tokens = Json::make_array(), ids = tokens, segments = tokens, offsets = tokens;
  for (size_t i = 0; i < encoding.ids.size(); ++i) {
    tokens.append(vocabulary.token(encoding.ids[i]));
    ids.append(encoding.ids[i]);
    segments.append(encoding.segments[i]);
    offsets.append(Json::make_array({encoding.offsets[i].begin, encoding.offsets[i].end}));
  }
  return Json::make_object(
      {{"tokens", tokens}, {"ids", ids}, {"segments", segments}, {"offsets", offsets}});
}

Json run(const Options& o) {
  const Tokenizer tokenizer = find_tokenizer(o.model, o.vocab, o.cased);
  int64_t lines = 0, tokens = 0;
  for_each_input_block("tokenize", 4096, [&](const std::vector<std::string>& block) {
    std::vector<std::string> out(block.size());
    std::vector<int64_t> counts(block.size());
    parallel_for(static_cast<int64_t>(block.size()), 16, [&](int64_t begin, int64_t end) {
      for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
        const Encoding e = encode_line(tokenizer, block[i], o.max_length);
        out[i] = as_json(e, tokenizer.vocabulary()).to_string();
        counts[i] = e.size();
      }
    });
    for (size_t i = 0; i < block.size(); ++i) {
      write_line(out[i]);
      tokens += counts[i];
    }
    lines += static_cast<int64_t>(block.size());
  });
  return Json::make_object({{"lines", lines}, {"tokens", tokens}});
}

}  // namespace

Action declare_tokenize(Command& command) {
  auto o = std::make_shared<Options>();
  command.reads_lines();
  command.path("--model", o->model,
               "model whose tokenizer is used: a folder, or a name such as hfl/rbt3");
  command.path("--vocab", o->vocab, "or a vocab.txt alone");
  command.flag("--cased", o->cased, "with --vocab: keep capitals and accents");
  command.option("--max-length", o->max_length, "longest sequence in tokens; 0 = unlimited");
  return with_model(command, o->model, [o] { return run(*o); });
}

}  // namespace ink::cli
