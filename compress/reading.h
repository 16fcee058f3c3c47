// How teacher and student read the examples: the same tokens, or each its own.
//
// Where their tokenizers make the same of every example there is one set of features for both.
// Otherwise every example is there twice, and what both make of it is found under the same row:
// what is said of whole texts can be compared, what is said of tokens cannot.
#pragma once
#include <cstdint>
#include <filesystem>
#include <vector>

#include "compress/more_examples.h"
#include "tasks/classification.h"

namespace ink {

// One set of examples.
struct Reading {
  TaskSet student, teacher;  // with the same features where tokens are the same
  bool shared() const { return student.features == teacher.features; }
  // What the teacher reads where the student reads `batch`.
  Packed for_teacher(const FeatureBatch& batch) const;
};

// Of a student and one of its teachers.
struct Readings {
  Reading train, dev;
};

struct Reader {
  std::filesystem::path folder;  // with a tokenizer
  const ModelConfig& config;
};

// A student's tokenizer: of its own folder, or that of its first teacher where the folder is empty
// or has none. Raises Error when it has more tokens than the student.
struct StudentTokens {
  Tokenizer tokenizer;
  std::filesystem::path from;  // its folder
};
StudentTokens student_tokens(const std::filesystem::path& student, const ModelConfig& config,
                             const Reader& teacher);

struct ReadingOptions {
  const Task& task;
  const TaskData& data;
  const Labels& labels;
  uint64_t seed = 1;  // of the split, where data has no development examples
  int64_t max_length = 128;
  MoreExamples more = {};  // behind those of training
};

// One for each teacher; the student's features are the same in all. Raises Error when a tokenizer
// has more tokens than its model, and for copies of texts where tokens are not the same.
std::vector<Readings> readings_of(const ReadingOptions& options, const StudentTokens& student,
                                  const std::vector<Reader>& teachers);

}  // namespace ink
