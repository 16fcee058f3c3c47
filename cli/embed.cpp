// inkstone embed: lines of text → vectors in a safetensors file.
#include "tasks/embed.h"

#include <cstdio>
#include <memory>

#include "cli/length.h"
#include "cli/lines.h"
#include "cli/model_option.h"
#include "cli/output.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "tasks/classification.h"

namespace ink::cli {
namespace {

struct Options {
  std::string model, pooling = "mean", out = "embeddings.safetensors";
  int64_t max_length = 0;
  bool normalize = false;
};

Json run(const Options& o) {
  check_output(o.out, {o.model});
  const Pooling pooling = pooling_from(o.pooling);
  const Session session(o.model, {.heads = Heads{.pooler = pooling == Pooling::pooler}});
  const int64_t length = length_for(o.max_length, session.model().config.longest());
  Examples lines{.items = {}, .labels = {}, .source = "standard input"};
  for_each_input_line("embed",
                      [&](const std::string& line) { lines.items.push_back(example_of(line)); });
  check(!lines.items.empty(), "expected lines of text on standard input, found none");
  const Features features(lines, load_tokenizer(o.model, session.model().config), length);
  notice(truncation_notice(features, "lines"));
  const Embeddings vectors = embed(session, features, pooling, o.normalize);
  save_embeddings(vectors, o.out);
  const int64_t rows = vectors.vectors.dim(0), size = vectors.vectors.dim(1);
  std::printf("%s: %ld vectors of %ld numbers for %zu lines\n", o.out.c_str(), rows, size,
              lines.items.size());
  return Json::make_object({{"lines", lines.items.size()}, {"vectors", rows}, {"size", size}});
}

}  // namespace

Action declare_embed(Command& command) {
  command.infers_on_devices();
  auto o = std::make_shared<Options>();
  command.reads_lines();
  command.path("--model", o->model, kModelHelp);
  command.choice(
      "--pooling", o->pooling, {"mean", "cls", "pooler", "tokens"},
      "mean over the tokens, cls (the first; of XLNet the last), pooler (the first behind "
      "the pooler) or tokens (each)");
  command.path("--out", o->out, "safetensors file to write");
  declare_length(command, o->max_length);
  command.flag("--normalize", o->normalize, "give every vector the length 1");
  command.require("--model");
  return with_model(command, o->model, [o] { return run(*o); });
}

}  // namespace ink::cli
