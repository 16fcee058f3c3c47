// inkstone pretrain: text → a model folder.
#include "objectives/pretrain.h"

#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

#include "cli/length.h"
#include "cli/lines.h"
#include "cli/model_option.h"
#include "cli/objective_names.h"
#include "cli/processes.h"
#include "cli/stages.h"
#include "cli/task_options.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "tasks/architecture.h"

namespace ink::cli {
namespace {

struct Options {
  ObjectiveOptions objective;
  std::string model, architecture, vocab, dictionary, out, stages, save_at, optimizer = "adamw",
                                                                            schedule = "linear";
  std::vector<std::string> text;
  double warmup = 0.1;
  bool no_bias_correction = false, cased = false;
  PretrainOptions job = {};
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
  PretrainOptions job = o.job;
  job.objective = objective_of(o.objective, command);
  job.corpus.assign(o.text.begin(), o.text.end());
  job.out = o.out;
  job.start_from = o.model;
  job.warmup_steps = static_cast<int64_t>(o.warmup * static_cast<double>(job.steps));
  set_schedule(o.schedule, job);
  job.optimizer.kind = optimizer_from(o.optimizer);
  job.optimizer.bias_correction = !o.no_bias_correction;
  job.seed = static_cast<uint64_t>(command.seed);
  job.save_at = steps_from(o.save_at, "--save-at");
  job.stop = &interrupted;
  return job;
}

void check_options(const Options& o, const Command& command) {
  if (o.model.empty() == (o.architecture.empty() || o.vocab.empty())) {
    throw UsageError("expected either --model, or --architecture and --vocab");
  }
  if (!o.stages.empty() && command.given("--max-length"))
    throw UsageError("expected either --max-length or --stages");
  if (o.optimizer == "sgd") {
    for (const char* option : {"--no-bias-correction", "--beta1", "--beta2", "--epsilon"})
      if (command.given(option))
        throw UsageError(std::string(option) + ": says nothing about --optimizer sgd");
  }
  if (job_of(o, command).objective.pair_task == PairTask::none &&
      command.given("--short-probability"))
    throw UsageError("--short-probability: is about two texts, which --objective " +
                     o.objective.objective + " does not read; add nsp, sop or pair");
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
  p.job.max_tokens = length_for(o.job.max_tokens, p.config.longest());
  p.job.stages = stages_from(o.stages, p.config.longest());
  if (p.job.objective.task == TokenTask::mac) {
    p.job.objective.similar =
        std::make_shared<const SimilarWords>(similar_words_of(o.objective, tokenizer));
  }
  check_pretraining(p.config, tokenizer, p.job);
  p.segmenter = segmenter_for(p.job.objective, o.dictionary);
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
  Json json = Json::make_object({{"status", finished ? "finished" : "interrupted"},
                                 {"step", result.training.step},
                                 {"parameters", result.parameters},
                                 {"documents", result.documents},
                                 {"epochs", result.epochs},
                                 {"seconds", result.training.seconds},
                                 {"waited_for_data", result.waited_for_data}});
  std::printf("%s: step %ld, %s parameters, %ld documents, %ld epochs begun", o.out.c_str(),
              result.training.step, with_unit(static_cast<double>(result.parameters)).c_str(),
              result.documents, result.epochs);
  for (const auto& [name, value] : result.training.last.metrics) {
    std::printf(", held-out %s %.4g", name.c_str(), value);
    json.set(name, value);
  }
  std::printf("\n");
  return json;
}

// The rule of a step, and its rate.
void declare_steps(Command& command, Options& o) {
  PretrainOptions& job = o.job;
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

// The log, checkpoints and what is kept on the way.
void declare_running(Command& command, Options& o) {
  PretrainOptions& job = o.job;
  command.section("Running");
  command.option("--log-every", job.log_every, "steps in a line of the log", kOneOrMore);
  command.option("--evaluate-every", job.evaluate_every, "steps; 0 = at the end");
  command.option("--checkpoint-every", job.checkpoint_every,
                 "steps; 0 = when stopped and at the end");
  command.option("--keep-checkpoints", job.keep_checkpoints, "newest ones kept", kOneOrMore);
  command.text("--save-at", o.save_at,
               "steps after which the model is kept in --out/step-N: 1000,3000; 0 too");
  command.flag("--tensorboard", job.event_file, "write event files for TensorBoard, too");
  command.flag("--resume", job.resume, "go on from the newest checkpoint in --out");
}

}  // namespace

Action declare_pretrain(Command& command) {
  command.computes_on_devices();
  auto o = std::make_shared<Options>();
  PretrainOptions& job = o->job;
  job.max_tokens = 0;  // as length_for says
  command.list("--text", o->text,
               "text files, or folders of .txt files; a blank line between documents");
  command.path("--out", o->out, "model folder to write");
  command.path("--model", o->model, "model to start from: a folder, or a name such as hfl/rbt3");
  command.path("--architecture", o->architecture, "or a config.json of sizes, for random weights");
  command.path("--vocab", o->vocab, "with --architecture: the vocab.txt");
  command.flag("--cased", o->cased, "with --vocab: keep capitals and accents");
  command.path("--dictionary", o->dictionary,
               "words for wwm; default $INK_DICTIONARY, else python3-jieba's");
  declare_objective(command, o->objective);
  command.option("--duplicates", job.duplicates,
                 "0 = new masks every epoch; n = n static maskings in turn");
  command.option("--short-probability", job.short_probability,
                 "nsp, sop, pair: of documents that are cut in shorter texts", kShare);
  command.section("Batches");
  declare_length(command, job.max_tokens);
  command.text("--stages", o->stages,
               "or lengths in turn, each for a share of the steps: 128:0.9,512:0.1");
  command.option("--batch-tokens", job.batch_tokens, "tokens of a micro-batch", kOneOrMore);
  command.option("--accumulate", job.accumulate,
                 "micro-batches of a step, dealt out over the processes", kOneOrMore);
  command.option("--held-out", job.held_out, "share of the documents that only measure", kShare);
  command.option("--held-out-tokens", job.held_out_tokens, "of them, tokens at most");
  declare_steps(command, *o);
  command.option("--clip", job.clip_norm, "longest gradient (global norm); 0 = never clipped");
  command.flag("--recompute", job.recompute, kRecomputeHelp);
  declare_running(command, *o);
  command.require("--text");
  command.require("--out");
  command.refuses([o, &command] { check_options(*o, command); });
  Action action = with_model(command, o->model, [o, &command] { return run(*o, command); });
  command.tries([o, &command] { prepare(*o, command); });
  command.comes_to([o, &command] { return fingerprint_of(job_of(*o, command).objective); });
  return action;
}

}  // namespace ink::cli
