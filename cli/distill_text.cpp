// From options to a distillation on text.
#include "cli/distill_text.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "cli/terminal.h"
#include "compress/distill_text.h"
#include "tasks/classification.h"

namespace ink::cli {

Json distill_on_text(const Json& job, const TextOptions& text, bool explain, Command& command) {
  DistillTextOptions options =
      as_usage([&] { return distill_text_options_from_json(job, text_job(text, command)); });
  PretrainOptions& training = options.text;
  if (command.given("--seed")) training.seed = static_cast<uint64_t>(command.seed);
  const ModelConfig teacher = ModelConfig::read(options.teacher / "config.json");
  const ModelConfig student = config_of_student(options.student, teacher);
  complete_text_job(training, text, load_tokenizer(options.teacher, teacher),
                    std::min(teacher.longest(), student.longest()));
  if (explain) {
    const DistillTextPlan plan = plan_text_distillation(options);
    std::printf("%s", explanation(plan).c_str());
    return to_json(plan);
  }
  const std::optional<Segmenter> segmenter = segmenter_for(training.objective, text.dictionary);
  catch_interrupts();
  ProgressDisplay display("distill");
  const PretrainResult result =
      distill_text(options, segmenter ? &*segmenter : nullptr,
                   {.progress = [&](const Progress& p) { display.show(p); },
                    .notice = [&](const std::string& sentence) { display.say(sentence); }});
  if (result.training.status != TrainingResult::Status::finished)
    command.status = say_stopped(display);
  return show_result(result, training.out.string());
}

}  // namespace ink::cli
