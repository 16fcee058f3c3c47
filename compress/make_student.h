// Making a student: from a folder, an architecture, a preset, or layers of its teacher.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "nn/model.h"

namespace ink {

// What a new student takes over from its teacher.
struct TeacherInit {
  enum class From : uint8_t {
    nothing,     // all weights are random
    embeddings,  // those tables that are of the student's size
    uniform,     // these, and layer ⌊j·T/S⌋ of the teacher's T layers for layer j of S
    first,       // … layer j
    last,        // … layer T − S + j
    listed       // … the layers in `layers`
  };
  From from = From::nothing;
  std::vector<int64_t> layers = {};  // of the teacher, from 0: one for each of the student's
};

// Where the student comes from; exactly one of the four. Labels are the teacher's, and so is the
// vocabulary unless the student is a folder with another.
struct StudentOptions {
  std::filesystem::path folder = {};             // a model, pre-trained or pruned
  std::optional<ModelConfig> architecture = {};  // new
  std::string preset = {};                       // new: a name of compress/students.h
  // The teacher's embeddings, head, and these of its layers, from 0.
  std::vector<int64_t> layers_from_teacher = {};
  // Of an architecture or a preset. Absent: a preset takes the embeddings that fit, an architecture
  // nothing.
  std::optional<TeacherInit> init_from_teacher = {};
};

// With these heads; without, with one for the teacher's task and labels. `random` gives the weights
// that come from nowhere else. Raises Error when there is not exactly one source, or the teacher's
// layers do not fit the student's.
Model make_student(const StudentOptions& from, const Model& teacher, const Random& random,
                   const std::optional<Heads>& heads = {});

// The configuration that it will have, known before any weight is made. Raises Error as above.
ModelConfig config_of_student(const StudentOptions& from, const ModelConfig& teacher,
                              const std::optional<Heads>& heads = {});

// The head that a student of such a teacher gets: for tags, for spans, or else for classes.
Heads heads_of_student(const ModelConfig& teacher);

// The most tokens of a sequence that it and all teachers read, the first of which it is made of.
int64_t longest_sequence(const StudentOptions& from,
                         const std::vector<std::filesystem::path>& teachers);

// How a new student begins: as `from` says, or else as above.
TeacherInit init_of(const StudentOptions& from);

// Which of the teacher's layers the student's begin as; empty: none of them.
std::vector<int64_t> chosen_layers(const TeacherInit& init, int64_t teacher, int64_t student);

// A model of the same sizes with some of another's layers, in the order given;
// everything else is copied.
Model model_from_layers(const Model& teacher, const std::vector<int64_t>& layers);

}  // namespace ink
