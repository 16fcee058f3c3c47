// How teacher and student read the examples: the same tokens, or each its own.
//
// Where their tokenizers make the same of every example there is one set of features for both.
// Otherwise every example is there twice, and what both make of it is found under the same row:
// what is said of whole texts can be compared, what is said of tokens cannot.
#pragma once
#include <cstdint>
#include <filesystem>

#include "tasks/classification.h"

namespace ink {

// One set of examples.
struct Reading {
  TaskSet student, teacher;  // with the same features where tokens are the same
  bool shared() const { return student.features == teacher.features; }
  // What the teacher reads where the student reads `batch`.
  Packed for_teacher(const FeatureBatch& batch) const;
};

struct Readings {
  Tokenizer student;                     // its tokenizer
  std::filesystem::path tokenizer_from;  // the folder of that
  Reading train, dev;
};

struct ReadingOptions {
  std::filesystem::path teacher;  // its folder
  std::filesystem::path student;  // its folder; empty, or without a tokenizer: it has the teacher's
  const ModelConfig& teacher_config;
  const ModelConfig& student_config;
  int64_t max_length;
};

// Raises Error when a tokenizer has more tokens than its model.
Readings readings_of(TaskExamples examples, const ReadingOptions& options);

}  // namespace ink
