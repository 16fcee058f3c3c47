// inkstone finetune: a model folder and labelled text → a model of the task.
#include "tasks/finetune.h"

#include <cstdio>
#include <memory>

#include "cli/length.h"
#include "cli/model_option.h"
#include "cli/task_options.h"
#include "cli/verbs.h"

namespace ink::cli {
namespace {

struct Options {
  TaskOptions task;
  std::string model, train, dev, out;
  FinetuneOptions job = {};
  double dropout = -1;
};

Json run(const Options& o, Command& command) {
  FinetuneOptions job = o.job;
  job.model = o.model;
  job.out = o.out;
  job.data.train = o.train;
  job.data.dev = o.dev;
  job.data.read = read_options(o.task);
  job.task = &task_named(o.task.task);
  job.max_length = length_for(o.task.max_length, job.model);
  if (o.dropout != -1) job.dropout = o.dropout;
  job.fit.seed = static_cast<uint64_t>(command.seed);
  job.fit.stop = &interrupted;
  catch_interrupts();
  ProgressDisplay display("finetune");
  const FinetuneResult result = finetune(job, hooks_of(display));
  const bool finished = result.training.status == TrainingResult::Status::finished;
  if (!finished) {
    command.status = say_stopped(display);
    return Json::make_object({{"status", "interrupted"}, {"step", result.training.step}});
  }
  std::printf("%s: %s\n", o.out.c_str(), summary_of(result.dev).c_str());
  Json json = json_of(result.dev);
  json.set("status", "finished");
  json.set("step", result.training.step);
  json.set("seconds", result.training.seconds);
  return json;
}

}  // namespace

Action declare_finetune(Command& command) {
  command.computes_on_devices();
  auto o = std::make_shared<Options>();
  command.path("--model", o->model, "model to start from: a folder, or a name such as hfl/rbt3");
  command.path("--train", o->train, kExamplesHelp);
  command.path("--dev", o->dev, "examples that choose the best epoch; default: a part of --train");
  command.option("--dev-fraction", o->job.data.dev_fraction, "that part, in whole groups", kShare);
  command.path("--out", o->out, "model folder to write");
  declare_task(command, o->task, true);
  command.flag("--new-labels", o->job.new_labels,
               "a new head for the labels of --train, also where the model has them");
  command.option("--dropout", o->dropout, "of the head; -1 = as config.json says", {-1, 1});
  declare_fit(command, o->job.fit);
  command.option("--layer-decay", o->job.layer_decay,
                 "factor of the learning rate from each layer to the one below; ELECTRA: 0.8",
                 kAboveZero);
  for (const char* name : {"--model", "--train", "--out"}) command.require(name);
  return with_model(command, o->model, [o, &command] { return run(*o, command); });
}

}  // namespace ink::cli
