// A lesson of the pre-training job, and what it would do.
#include "compress/distill_text.h"

#include "compress/text_setting.h"
#include "compress/text_teaching.h"
#include "nn/parameter_count.h"
#include "tasks/classification.h"
#include "text/corpus.h"

namespace ink {

PretrainResult distill_text(const DistillTextOptions& options, const Segmenter* segmenter,
                            const PretrainCallbacks& callbacks) {
  check_other_folder("distill", options.teacher, options.text.out);
  const TextSetting setting = text_setting_of(options);
  TextTeaching teaching(options, setting, load_text_teacher(options.teacher, setting.config));
  const Lesson lesson = teaching.lesson();
  PretrainOptions text = options.text;
  text.lesson = &lesson;
  return pretrain(setting.student, setting.tokenizer, segmenter, text, callbacks);
}

DistillTextPlan plan_text_distillation(const DistillTextOptions& options) {
  const TextSetting setting = text_setting_of(options);
  const PretrainOptions& text = options.text;
  const Heads heads = heads_of_text_student(setting.config);
  DistillTextPlan plan{.models = {.teacher = setting.teacher,
                                  .student = setting.student,
                                  .from = options.student,
                                  .config = setting.config},
                       .text = text};
  plan.models.teacher_parameters =
      load_text_teacher(options.teacher, setting.config).parameters.elements();
  plan.models.student_parameters = parameter_count(setting.student, heads);
  if (options.student.init_from_teacher)
    plan.models.layers = chosen_layers(*options.student.init_from_teacher, setting.teacher.layers(),
                                       setting.student.layers());
  const Corpus corpus =
      Corpus::open(text.corpus, {.held_out = text.held_out, .block_bytes = text.block_bytes});
  plan.documents = corpus.documents(Split::train);
  plan.held_out = corpus.documents(Split::held_out);
  plan.models.steps = text.steps;
  return plan;
}

}  // namespace ink
