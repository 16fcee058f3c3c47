// Tokenizing examples once or twice.
#include "compress/reading.h"

#include "nn/model_folder.h"

namespace ink {

Packed Reading::for_teacher(const FeatureBatch& batch) const {
  return shared() ? batch.inputs : teacher.features->batch(batch.rows).inputs;
}

Readings readings_of(TaskExamples examples, const ReadingOptions& options) {
  const Tokenizer of_teacher = load_tokenizer(options.teacher, options.teacher_config);
  const bool own = !options.student.empty() && has_tokenizer(options.student);
  Tokenizer of_student = own ? Tokenizer::load(options.student) : of_teacher;
  options.student_config.check_vocabulary(of_student.vocabulary().size(), "distill: the student");
  const auto reading = [&](Examples& set) -> Reading {
    const TaskSet student = classification_set(set, {of_student, options.max_length});
    if (!own) return {student, student};
    const TaskSet teacher = classification_set(std::move(set), {of_teacher, options.max_length});
    const bool same = teacher.features->digest() == student.features->digest();
    return {student, same ? student : teacher};
  };
  Reading train = reading(examples.train), dev = reading(examples.dev);
  return {.student = std::move(of_student),
          .tokenizer_from = own ? options.student : options.teacher,
          .train = std::move(train),
          .dev = std::move(dev)};
}

}  // namespace ink
