// inkstone pretrain: text → a model folder.
#include "objectives/pretrain.h"

#include <filesystem>
#include <memory>
#include <optional>

#include "cli/length.h"
#include "cli/lines.h"
#include "cli/model_option.h"
#include "cli/processes.h"
#include "cli/task_options.h"
#include "cli/terminal.h"
#include "cli/text_options.h"
#include "cli/verbs.h"
#include "tasks/architecture.h"

namespace ink::cli {
namespace {

struct Options {
  TextOptions text;
  std::string model, architecture, vocab, out, optimizer = "adamw", schedule = "linear";
  double warmup = 0.1;
  bool no_bias_correction = false, cased = false;
};

void set_schedule(const std::string& name, PretrainOptions& job) {
  job.decay = name == "cosine"     ? Decay::cosine
              : name == "constant" ? Decay::constant
                                   : Decay::linear;
  job.decay_from = name == "google"    ? DecayFrom::zero
                   : name == "electra" ? DecayFrom::zero_throughout
                                       : DecayFrom::warmup_end;
}

ModelConfig config_of(const Options& o, const Tokenizer& tokenizer) {
  if (!o.model.empty()) return ModelConfig::read(std::filesystem::path(o.model) / "config.json");
  return read_architecture(o.architecture, tokenizer.vocabulary().size());
}

PretrainOptions job_of(const Options& o, const Command& command) {
  PretrainOptions job = text_job(o.text, command);
  job.out = o.out;
  job.start_from = o.model;
  job.warmup_steps = static_cast<int64_t>(o.warmup * static_cast<double>(job.steps));
  set_schedule(o.schedule, job);
  job.optimizer.kind = optimizer_from(o.optimizer);
  job.optimizer.bias_correction = !o.no_bias_correction;
  return job;
}

void check_options(const Options& o, const Command& command) {
  if (o.model.empty() == (o.architecture.empty() || o.vocab.empty())) {
    throw UsageError("expected either --model, or --architecture and --vocab");
  }
  if (!o.model.empty() && !o.architecture.empty())
    throw UsageError("--architecture: says nothing about --model, whose sizes are its own");
  check_text_options(o.text, command);
  if (o.optimizer == "sgd") {
    for (const char* option : {"--no-bias-correction", "--beta1", "--beta2", "--epsilon"})
      if (command.given(option))
        throw UsageError(std::string(option) + ": says nothing about --optimizer sgd");
  }
  job_of(o, command);
}

// What a pre-training needs beside its text.
struct Prepared {
  PretrainOptions job;
  Tokenizer tokenizer;
  ModelConfig config;
  std::optional<Segmenter> segmenter;
};

Prepared prepare(const Options& o, const Command& command) {
  Tokenizer tokenizer = find_tokenizer(o.model, o.vocab, o.cased);
  const ModelConfig config = config_of(o, tokenizer);
  if (o.model.empty() && config.family->two_streams) tokenizer = tokenizer.with_class_last();
  Prepared p{job_of(o, command), tokenizer, config, std::nullopt};
  complete_text_job(p.job, o.text, tokenizer, p.config.longest());
  check_pretraining(p.config, tokenizer, p.job);
  p.segmenter = segmenter_for(p.job.objective, o.text.dictionary);
  return p;
}

Json run(const Options& o, Command& command) {
  ProgressDisplay display("pretrain");
  const std::unique_ptr<Communicator> processes = join_processes(command, display);
  Prepared ready = prepare(o, command);
  ready.job.processes = processes.get();
  catch_interrupts();
  const PretrainResult result = pretrain(
      ready.config, ready.tokenizer, ready.segmenter ? &*ready.segmenter : nullptr, ready.job,
      {.progress = [&](const Progress& p) { display.show(p); },
       .notice = [&](const std::string& sentence) { display.say(sentence); }});
  const bool finished = result.training.status == TrainingResult::Status::finished;
  if (!finished) command.status = processes->is_first() ? say_stopped(display) : stopped_status();
  if (!processes->is_first()) return Json();
  return show_result(result, o.out);
}

// The rule of a step, and its rate.
void declare_steps(Command& command, Options& o) {
  PretrainOptions& job = o.text.job;
  command.section("Training");
  command.option("--steps", job.steps, "optimizer steps", kOneOrMore);
  command.option("--learning-rate", job.learning_rate, "at its highest", kAboveZero);
  command.option("--warmup", o.warmup, "share of the steps in which the rate rises", kShare);
  command.choice("--schedule", o.schedule, {"linear", "cosine", "constant", "google", "electra"},
                 "of the rate afterwards; google, electra: linear, but counted from step 0, with "
                 "electra in the warm-up too");
  command.choice("--optimizer", o.optimizer, {"adamw", "lamb", "sgd"}, "rule of a step");
  command.option("--weight-decay", job.optimizer.weight_decay, "of matrices");
  command.flag("--no-bias-correction", o.no_bias_correction, "Google BERT's variant of Adam");
  constexpr RealRange kBelowOne{.high = 0.999999};
  command.option("--beta1", job.optimizer.beta1, "adamw, lamb: of the mean gradient", kBelowOne);
  command.option("--beta2", job.optimizer.beta2, "adamw, lamb: of its square", kBelowOne);
  command.option("--epsilon", job.optimizer.epsilon, "adamw, lamb: beside its root", kAboveZero);
}

}  // namespace

Action declare_pretrain(Command& command) {
  command.computes_on_devices();
  auto o = std::make_shared<Options>();
  PretrainOptions& job = o->text.job;
  job.max_tokens = 0;  // as length_for says
  command.list("--text", o->text.text,
               "text files, or folders of .txt files; a blank line between documents");
  command.path("--out", o->out, "model folder to write");
  command.path("--model", o->model, "model to start from: a folder, or a name such as hfl/rbt3");
  command.path("--architecture", o->architecture, "or a config.json of sizes, for random weights");
  command.path("--vocab", o->vocab, "with --architecture: the vocab.txt");
  command.flag("--cased", o->cased, "with --vocab: keep capitals and accents");
  declare_objective_of_text(command, o->text);
  command.section("Batches");
  declare_length(command, job.max_tokens);
  declare_batches(command, o->text);
  command.option("--accumulate", job.accumulate,
                 "micro-batches of a step, dealt out over the processes", kOneOrMore);
  declare_steps(command, *o);
  command.option("--clip", job.clip_norm, "longest gradient (global norm); 0 = never clipped");
  command.flag("--recompute", job.recompute, kRecomputeHelp);
  command.flag("--graphs", job.graphs, kGraphsHelp);
  command.flag("--fill", job.fill, kFillHelp);
  command.section("Running");
  declare_running(command, o->text);
  command.flag("--resume", job.resume, "go on from the newest checkpoint in --out");
  command.require("--text");
  command.require("--out");
  command.refuses([o, &command] { check_options(*o, command); });
  Action action = with_model(command, o->model, [o, &command] { return run(*o, command); });
  command.tries([o, &command] { prepare(*o, command); });
  command.comes_to([o, &command] { return fingerprint_of(job_of(*o, command).objective); });
  return action;
}

}  // namespace ink::cli
