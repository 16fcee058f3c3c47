// inkstone prune: a classifier → the same with fewer heads and narrower FFNs; TextPruner's keys.
#include "compress/prune.h"

#include <cstdio>
#include <memory>

#include "cli/length.h"
#include "cli/model_option.h"
#include "cli/task_options.h"
#include "cli/verbs.h"
#include "tensor/file.h"

namespace ink::cli {
namespace {

struct Options {
  TaskOptions task;
  std::string mode = "transformer", model, data, masks, out;
  std::vector<std::string> configurations;
  PruneOptions job = {};
};

std::string listed(const std::vector<int64_t>& values) {
  std::string text;
  for (const int64_t v : values) text += (text.empty() ? "" : " ") + std::to_string(v);
  return text;
}

Json array_of(const std::vector<int64_t>& values) {
  return Json::make_array({values.begin(), values.end()});
}

Json run(const Options& o) {
  if (o.configurations.size() != 1) throw UsageError("--configurations: expected one file");
  PruneOptions job = o.job;
  job.model = o.model;
  job.out = o.out;
  job.data = o.data;
  job.masks = o.masks;
  job.read = read_options(o.task);
  job.max_length = length_for(o.task.max_length, job.model);
  job.config = as_usage([&] {
    return PruningConfig::from_json(
        parse_json(read_file(o.configurations[0], size_t{1} << 20), o.configurations[0]));
  });
  const PruneResult r =
      prune(job, [](const std::string& sentence) { notice("prune: " + sentence); });
  std::printf("%s: %s of %s parameters\n  heads per layer: %s\n  FFN per layer:   %s\n",
              o.out.c_str(), with_unit(static_cast<double>(r.parameters_after)).c_str(),
              with_unit(static_cast<double>(r.parameters_before)).c_str(),
              listed(r.heads_per_layer).c_str(), listed(r.ffn_per_layer).c_str());
  return Json::make_object({{"parameters_before", r.parameters_before},
                            {"parameters_after", r.parameters_after},
                            {"heads_per_layer", array_of(r.heads_per_layer)},
                            {"ffn_per_layer", array_of(r.ffn_per_layer)}});
}

}  // namespace

Action declare_prune(Command& command) {
  auto o = std::make_shared<Options>();
  command.choice("--mode", o->mode, {"transformer"}, "what is removed: heads and FFN neurons");
  command.path("--model", o->model, "fine-tuned model: a folder, or a name such as hfl/rbt3");
  command.list("--configurations", o->configurations,
               "JSON file with the keys of TransformerPruningConfig");
  command.path("--data", o->data, "labelled examples that importance is measured on");
  command.path("--masks", o->masks,
               "for pruning_method masks: JSON file with head_mask and ffn_mask");
  command.path("--out", o->out, "model folder to write");
  declare_task(command, o->task);
  command.option("--batch-size", o->job.batch_size, "examples of a batch of measuring", kOneOrMore);
  command.option("--max-examples", o->job.max_examples, "examples measured on; 0 = all");
  for (const char* name : {"--model", "--configurations", "--out"}) command.require(name);
  return with_model(command, o->model, [o] { return run(*o); });
}

}  // namespace ink::cli
