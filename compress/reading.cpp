// Tokenizing examples once, and again for each teacher that reads them otherwise.
#include "compress/reading.h"

#include "nn/model_folder.h"
#include "tensor/error.h"

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
    const TokenOptions tokens{tokenizer, options.max_length};
    Sets sets = options.task.read_both(options.data, &options.labels, options.seed, tokens);
    sets.first.features =
        with_more(std::move(sets.first.features), options.more, tokens, options.seed);
    return sets;
  };
  const Sets mine = read(student.tokenizer);
  std::vector<Readings> all;
  for (const Reader& teacher : teachers) {
    const Sets its = teacher.folder == student.from
                         ? mine
                         : read(load_tokenizer(teacher.folder, teacher.config));
    const TaskSet train = same_or_own(mine.first, its.first);
    check(train.features == mine.first.features || options.more.augmentation.copies == 0,
          "distill: copies of texts are changed token by token, and teacher and student cut texts "
          "into different ones; expected no augmentation, or a student with its teacher's "
          "tokenizer");
    all.push_back(
        {.train = {mine.first, train}, .dev = {mine.second, same_or_own(mine.second, its.second)}});
  }
  return all;
}

}  // namespace ink
