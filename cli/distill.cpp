// inkstone distill: a teacher and a configuration with TextBrewer's keys → a smaller student.
#include "compress/distill.h"

#include <cstdio>
#include <memory>

#include "cli/model_option.h"
#include "cli/task_options.h"
#include "cli/verbs.h"
#include "tensor/file.h"

namespace ink::cli {
namespace {

struct Options {
  std::string config, teacher, train, dev, out;
  bool resume = false;
};

void set_output(Json& file, const std::string& folder) {
  const Json* given = file.find("TrainingConfig");
  Json training = given ? *given : Json::make_object();
  training.set("output_dir", folder);
  file.set("TrainingConfig", training);
}

Json run(const Options& o, Command& command) {
  Json file = parse_json(read_file(o.config, size_t{16} << 20), o.config);
  if (!o.teacher.empty()) file.set("teacher", o.teacher);
  if (!o.train.empty()) file.set("train", o.train);
  if (!o.dev.empty()) file.set("dev", o.dev);
  if (!o.out.empty()) set_output(file, o.out);
  DistillOptions job = distill_options_from_json(file);
  if (command.given("--seed")) job.fit.seed = static_cast<uint64_t>(command.seed);
  job.fit.resume |= o.resume;
  job.fit.stop = &interrupted;
  catch_interrupts();
  ProgressDisplay display("distill");
  const DistillResult result = distill(job, hooks_of(display));
  if (result.student.training.status != TrainingResult::Status::finished) {
    command.status = say_stopped(display);
    return Json::make_object({{"status", "interrupted"}, {"step", result.student.training.step}});
  }
  std::printf("%s: %s (teacher %.2f %%)\n", job.out.c_str(), summary_of(result.student.dev).c_str(),
              100 * result.teacher_accuracy);
  Json json = json_of(result.student.dev);
  json.set("status", "finished");
  json.set("teacher_accuracy", result.teacher_accuracy);
  json.set("seconds", result.student.training.seconds);
  return json;
}

}  // namespace

Action declare_distill(Command& command) {
  auto o = std::make_shared<Options>();
  command.own_config(o->config,
                     "JSON file: teacher, student, data, TrainingConfig, DistillationConfig");
  command.option("--teacher", o->teacher, "model folder or name, instead of the file's");
  command.option("--train", o->train, "labelled examples, instead of the file's");
  command.option("--dev", o->dev, "examples that choose the best epoch, instead of the file's");
  command.option("--out", o->out, "model folder to write, instead of output_dir");
  command.flag("--resume", o->resume, "go on from the newest checkpoint in --out");
  command.require("--config");
  return with_model(command, o->teacher, [o, &command] { return run(*o, command); });
}

}  // namespace ink::cli
