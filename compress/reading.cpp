// Tokenizing examples once, and again for each teacher that reads them otherwise.
#include "compress/reading.h"

#include "nn/model_folder.h"

namespace ink {
namespace {

using Sets = std::pair<TaskSet, TaskSet>;  // train, dev

TaskSet same_or_own(const TaskSet& student, const TaskSet& teacher) {
  return teacher.features->digest() == student.features->digest() ? student : teacher;
}

}  // namespace

Packed Reading::for_teacher(const FeatureBatch& batch) const {
  return shared() ? batch.inputs : teacher.features->batch(batch.rows).inputs;
}

StudentTokens student_tokens(const std::filesystem::path& student, const ModelConfig& config,
                             const Reader& teacher) {
  const bool own = !student.empty() && has_tokenizer(student);
  StudentTokens tokens{
      own ? Tokenizer::load(student) : load_tokenizer(teacher.folder, teacher.config),
      own ? student : teacher.folder};
  config.check_vocabulary(tokens.tokenizer.vocabulary().size(), "distill: the student");
  return tokens;
}

std::vector<Readings> readings_of(const ReadingOptions& options, const StudentTokens& student,
                                  const std::vector<Reader>& teachers) {
  const auto read = [&](const Tokenizer& tokenizer) {
    return options.task.read_both(options.data, &options.labels, options.seed,
                                  {tokenizer, options.max_length});
  };
  const Sets mine = read(student.tokenizer);
  std::vector<Readings> all;
  for (const Reader& teacher : teachers) {
    const Sets its = teacher.folder == student.from
                         ? mine
                         : read(load_tokenizer(teacher.folder, teacher.config));
    all.push_back({.train = {mine.first, same_or_own(mine.first, its.first)},
                   .dev = {mine.second, same_or_own(mine.second, its.second)}});
  }
  return all;
}

}  // namespace ink
