// Declarations, and from options to a job.
#include "cli/text_options.h"

#include <cstdio>
#include <memory>

#include "cli/length.h"
#include "cli/stages.h"
#include "cli/terminal.h"

namespace ink::cli {

void declare_objective_of_text(Command& command, TextOptions& o) {
  PretrainOptions& job = o.job;
  command.path("--dictionary", o.dictionary,
               "words for wwm; default $INK_DICTIONARY, else python3-jieba's");
  declare_objective(command, o.objective);
  command.option("--duplicates", job.duplicates,
                 "0 = new masks every epoch; n = n static maskings in turn");
  command.option("--short-probability", job.short_probability,
                 "nsp, sop, pair: of documents that are cut in shorter texts", kShare);
}

void declare_batches(Command& command, TextOptions& o) {
  PretrainOptions& job = o.job;
  command.text("--stages", o.stages,
               "or lengths in turn, each for a share of the steps: 128:0.9,512:0.1");
  command.option("--batch-tokens", job.batch_tokens, "tokens of a micro-batch", kOneOrMore);
  command.option("--held-out", job.held_out, "share of the documents that only measure", kShare);
  command.option("--held-out-tokens", job.held_out_tokens, "of them, tokens at most");
}

void declare_running(Command& command, TextOptions& o) {
  PretrainOptions& job = o.job;
  command.option("--log-every", job.log_every, "steps in a line of the log", kOneOrMore);
  command.option("--evaluate-every", job.evaluate_every, "steps; 0 = at the end");
  command.option("--checkpoint-every", job.checkpoint_every,
                 "steps; 0 = when stopped and at the end");
  command.option("--keep-checkpoints", job.keep_checkpoints, "newest ones kept", kOneOrMore);
  command.text("--save-at", o.save_at,
               "steps after which the model is kept in --out/step-N: 1000,3000; 0 too");
  command.flag("--tensorboard", job.event_file, "write event files for TensorBoard, too");
}

void check_text_options(const TextOptions& o, const Command& command) {
  if (!o.stages.empty() && command.given("--max-length"))
    throw UsageError("expected either --max-length or --stages");
  if (objective_of(o.objective, command).pair_task == PairTask::none &&
      command.given("--short-probability"))
    throw UsageError("--short-probability: is about two texts, which --objective " +
                     o.objective.objective + " does not read; add nsp, sop or pair");
}

PretrainOptions text_job(const TextOptions& o, const Command& command) {
  PretrainOptions job = o.job;
  job.objective = objective_of(o.objective, command);
  job.corpus.assign(o.text.begin(), o.text.end());
  job.seed = static_cast<uint64_t>(command.seed);
  job.save_at = steps_from(o.save_at, "--save-at");
  job.stop = &interrupted;
  return job;
}

void complete_text_job(PretrainOptions& job, const TextOptions& o, const Tokenizer& tokenizer,
                       int64_t longest) {
  job.max_tokens = length_for(o.job.max_tokens, longest);
  job.stages = stages_from(o.stages, longest);
  if (job.objective.task == TokenTask::mac)
    job.objective.similar =
        std::make_shared<const SimilarWords>(similar_words_of(o.objective, tokenizer));
}

Json show_result(const PretrainResult& result, const std::string& out) {
  const bool finished = result.training.status == TrainingResult::Status::finished;
  Json json = Json::make_object({{"status", finished ? "finished" : "interrupted"},
                                 {"step", result.training.step},
                                 {"parameters", result.parameters},
                                 {"documents", result.documents},
                                 {"epochs", result.epochs},
                                 {"seconds", result.training.seconds},
                                 {"waited_for_data", result.waited_for_data}});
  std::printf("%s: step %ld, %s parameters, %ld documents, %ld epochs begun", out.c_str(),
              result.training.step, with_unit(static_cast<double>(result.parameters)).c_str(),
              result.documents, result.epochs);
  for (const auto& [name, value] : result.training.last.metrics) {
    std::printf(", held-out %s %.4g", name.c_str(), value);
    json.set(name, value);
  }
  std::printf("\n");
  return json;
}

}  // namespace ink::cli
