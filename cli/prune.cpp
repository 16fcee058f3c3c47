// inkstone prune: a model → the same with fewer heads, narrower FFNs or fewer tokens.
#include <charconv>
#include <cstdio>
#include <memory>
#include <tuple>

#include "cli/length.h"
#include "cli/model_option.h"
#include "cli/output.h"
#include "cli/piped_text.h"
#include "cli/pruning_configurations.h"
#include "cli/pruning_report.h"
#include "cli/task_options.h"
#include "cli/verbs.h"
#include "cli/vocabulary_report.h"
#include "compress/prune_pipeline.h"
#include "compress/result_folder.h"
#include "tensor/keys.h"

namespace ink::cli {
namespace {

struct Options {
  TaskOptions task;
  std::string mode = "transformer", model, data, masks, reference, tokens, out, speed, report;
  std::vector<std::string> configurations, text;
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

void say(const std::string& sentence) { notice("prune: " + sentence); }

// "32x128": sequences and their tokens.
std::pair<int64_t, int64_t> batch_from(const std::string& text) {
  int64_t batch = 0, length = 0;
  const char* end = text.data() + text.size();
  const auto [middle, error] = std::from_chars(text.data(), end, batch);
  const bool cross = error == std::errc() && middle != end && *middle == 'x';
  const auto rest =
      cross ? std::from_chars(middle + 1, end, length) : std::from_chars_result{middle, error};
  if (!cross || rest.ec != std::errc() || rest.ptr != end || batch < 1 || length < 1)
    throw UsageError("--speed: expected sequences and their length, such as 32x128, got " +
                     in_quotes(text));
  return {batch, length};
}

PruneOptions transformer_job(const Options& o, const PruningConfig& config) {
  PruneOptions job = o.job;
  job.model = o.model;
  job.out = o.out;
  job.data = o.data;
  job.masks = o.masks;
  job.reference = o.reference;
  job.task = &task_named(o.task.task);
  job.read = read_options(o.task);
  job.max_length = length_for(o.task.max_length, job.model);
  job.config = config;
  if (!o.speed.empty()) std::tie(job.speed_batch, job.speed_length) = batch_from(o.speed);
  return job;
}

void print_transformer_report(const PruneResult& r) {
  std::printf("  heads per layer: %s\n  FFN per layer:   %s\n", listed(r.heads_per_layer).c_str(),
              listed(r.ffn_per_layer).c_str());
  if (const auto& s = r.speed)
    std::printf("  encoding %ld x %ld: %.2f ms, before %.2f ms (%.2f times as fast)\n", s->batch,
                s->length, s->after.median, s->before.median, s->before.median / s->after.median);
  if (r.speed)
    std::printf("  quickest run:    %.2f ms, before %.2f ms (%.2f times as fast)\n",
                r.speed->after.quickest, r.speed->before.quickest,
                r.speed->before.quickest / r.speed->after.quickest);
  if (r.speed && r.speed->predicted_after)
    std::printf("  predicted:       %.2f ms\n", *r.speed->predicted_after);
}

void print_head(const std::string& out, int64_t after, int64_t before) {
  std::printf("%s: %s of %s parameters\n", out.c_str(),
              with_unit(static_cast<double>(after)).c_str(),
              with_unit(static_cast<double>(before)).c_str());
}

Json transformer_results(const PruneResult& r) {
  Json json = Json::make_object({{"parameters_before", r.parameters_before},
                                 {"parameters_after", r.parameters_after},
                                 {"heads_per_layer", array_of(r.heads_per_layer)},
                                 {"ffn_per_layer", array_of(r.ffn_per_layer)}});
  if (r.speed) json.set("speed", to_json(*r.speed));
  return json;
}

Json run_transformer(const Options& o, const PruningConfigurations& configurations) {
  const PruneResult r = prune(transformer_job(o, *configurations.transformer), say);
  print_head(o.out, r.parameters_after, r.parameters_before);
  print_transformer_report(r);
  return transformer_results(r);
}

Json run_vocabulary(const Options& o, const VocabularyPruneOptions& job) {
  const VocabularyPruneResult r = prune_vocabulary(job, say);
  print_head(o.out, r.parameters_after, r.parameters_before);
  print_vocabulary_report(r);
  return vocabulary_results(r);
}

Json run_pipeline(const Options& o, const PruningConfigurations& configurations,
                  const VocabularyPruneOptions& job) {
  const PipelineResult r =
      prune_pipeline(transformer_job(o, *configurations.transformer), job, say);
  print_head(o.out, r.vocabulary.parameters_after, r.vocabulary.parameters_before);
  print_transformer_report(r.transformer);
  print_vocabulary_report(r.vocabulary);
  Json json = transformer_results(r.transformer);
  const Json vocabulary = vocabulary_results(r.vocabulary);
  for (const auto& [key, value] : vocabulary.members()) json.set(key, value);
  return json;
}

// Raises UsageError for options that the mode does not read.
void check_mode(const Options& o) {
  struct Given {
    const char* option;
    bool given, read;
    const char* role;
  };
  const bool vocabulary = o.mode != "transformer", transformer = o.mode != "vocabulary";
  for (const Given& each :
       {Given{"--text", !o.text.empty(), vocabulary, "is what the vocabulary is for"},
        Given{"--tokens", !o.tokens.empty(), vocabulary, "is what the vocabulary is for"},
        Given{"--data", !o.data.empty(), transformer, "is what importance is measured on"},
        Given{"--masks", !o.masks.empty(), transformer, "is of heads, FFNs, channels and layers"},
        Given{"--reference", !o.reference.empty(), transformer, "is of importance"},
        Given{"--keep-shape", o.job.keep_shape, transformer, "is of heads and FFNs"},
        Given{"--speed", !o.speed.empty(), transformer, "is of what heads and FFNs take"}})
    if (each.given && !each.read)
      throw UsageError(std::string(each.option) + ": " + each.role +
                       "; expected another --mode than " + o.mode + ", or no " + each.option);
}

Json pruned(const Options& o) {
  const PruningConfigurations configurations = read_configurations(o.configurations, o.mode);
  check_mode(o);
  if (o.mode == "transformer") return run_transformer(o, configurations);
  const PipedText text("prune", o.text);
  const VocabularyPruneOptions job{.model = o.model,
                                   .out = o.out,
                                   .texts = text.paths(),
                                   .tokens = o.tokens,
                                   .config = *configurations.vocabulary};
  return o.mode == "vocabulary" ? run_vocabulary(o, job) : run_pipeline(o, configurations, job);
}

// The page and its figures lie beside all that is read.
void check_report(const Options& o) {
  const std::filesystem::path page = o.report;
  if (page.extension() == ".json")
    throw UsageError(
        "--report: expected a page such as pruning.html, its figures go to a .json "
        "file beside it; got " +
        o.report);
  const auto folder = page.has_parent_path() ? page.parent_path() : std::filesystem::path(".");
  if (!std::filesystem::is_directory(folder))
    throw UsageError("--report: there is no folder " + folder.string());
  with_place("--report", [&] { check_writable(folder); });
  const auto figures = std::filesystem::path(page).replace_extension(".json");
  std::vector<std::string> inputs = {o.data, o.masks, o.reference, o.tokens};
  inputs.insert(inputs.end(), o.configurations.begin(), o.configurations.end());
  inputs.insert(inputs.end(), o.text.begin(), o.text.end());
  check_output(o.report, inputs);
  if (std::filesystem::exists(figures) && !std::filesystem::exists(page))
    throw UsageError("--report: its figures would replace " + figures.string() +
                     "; choose another name");
  if (std::filesystem::exists(std::filesystem::path(o.model)) &&
      std::filesystem::equivalent(folder, o.model))
    throw UsageError("--report: " + folder.string() + " is the model, which is left as it is");
}

Json run(const Options& o) {
  if (!o.speed.empty()) batch_from(o.speed);  // raises UsageError before anything is read
  if (!o.report.empty()) check_report(o);
  Json json = pruned(o);
  if (!o.report.empty()) write_pruning_report(o.model, o.out, o.report);
  return json;
}

}  // namespace

Action declare_prune(Command& command) {
  auto o = std::make_shared<Options>();
  command.choice(
      "--mode", o->mode, {"vocabulary", "transformer", "pipeline"},
      "what is removed: tokens; heads, FFN neurons, hidden channels and layers; or both");
  command.path("--model", o->model,
               "model (fine-tuned, unless tokens alone go): a folder, or a name such as hfl/rbt3");
  command.list("--configurations", o->configurations,
               "JSON files with the keys of VocabularyPruningConfig, TransformerPruningConfig or "
               "one file of each; of tokens none is needed");
  command.path("--data", o->data,
               "examples that importance is measured on; with use_logits no labels are needed");
  command.path("--masks", o->masks,
               "for pruning_method masks: JSON file with head_mask and ffn_mask");
  command.list("--text", o->text,
               "texts that the vocabulary is kept for: files, folders of .txt files; - is "
               "standard input");
  command.path("--tokens", o->tokens,
               "file of tokens or ids to keep, or with a tab and its count behind each, a line "
               "each");
  command.path("--out", o->out, "model folder to write");
  declare_task(command, o->task, true);
  command.option("--batch-size", o->job.batch_size, "examples of a batch of measuring", kOneOrMore);
  command.option("--max-examples", o->job.max_examples, "examples measured on; 0 = all");
  command.path("--reference", o->reference,
               "for use_logits with compatible: safetensors with a reference model's logits of "
               "each batch, called 0.0, 1.0, …");
  command.flag("--keep-shape", o->job.keep_shape,
               "write zeros where heads and neurons go instead of cutting them out");
  command.text("--speed", o->speed,
               "sequences and their length, such as 32x128, at which encoding is timed before and "
               "after; with a target in milliseconds its own otherwise");
  command.path("--report", o->report,
               "HTML page to write, and its figures beside it as JSON: modules before and after, "
               "importance, what is kept, speed");
  command.computes_on_devices();
  for (const char* name : {"--model", "--out"}) command.require(name);
  return with_model(command, o->model, [o, &command] {
    o->job.seed = static_cast<uint64_t>(command.seed);
    return run(*o);
  });
}

}  // namespace ink::cli
