// Sizes, and whose weights become whose.
#include "compress/make_student.h"

#include <map>

#include "compress/students.h"
#include "compress/values.h"
#include "nn/model_folder.h"
#include "nn/parameter_count.h"
#include "tasks/finetune.h"
#include "tasks/tagged.h"
#include "tensor/error.h"
#include "tensor/ops.h"

namespace ink {
namespace {

bool finds_spans(const ModelConfig& config) {
  return heads_from(*config.family, config.architectures).span;
}

std::string problem_type_of(const ModelConfig& teacher) {
  if (tags_tokens(teacher) || finds_spans(teacher)) return "";
  switch (problem_from(teacher.problem_type, teacher.label_count())) {
    case Problem::single_label: return "single_label_classification";
    case Problem::multi_label: return "multi_label_classification";
    case Problem::regression: return "regression";
  }
  fail("distill: unknown problem type ", teacher.problem_type);
}

// ── which of the teacher's parameters a new student's are ───────────────────────────────────────

std::string path_in(const Family& family, const std::string& rest) {
  return std::string(family.prefix) + '.' + rest;
}

// The student's name of a parameter → the teacher's.
using Names = std::map<std::string, std::string>;

void add_pair(Names& names, const std::string& student, const std::string& teacher) {
  for (const char* kind : {".weight", ".bias"}) names[student + kind] = teacher + kind;
}

void add_embeddings(Names& names, const Family& student, const Family& teacher) {
  for (const auto part :
       {&EmbeddingNames::word, &EmbeddingNames::position, &EmbeddingNames::segment,
        &EmbeddingNames::norm, &EmbeddingNames::projection})
    if (student.embeddings.*part && teacher.embeddings.*part)
      add_pair(names, path_in(student, student.embeddings.*part),
               path_in(teacher, teacher.embeddings.*part));
}

void add_layers(Names& names, const Family& student, const Family& teacher,
                const std::vector<int64_t>& layers) {
  const auto path = [](const Family& family, int64_t layer, const char* part) {
    return path_in(family, family.layers) + '.' + std::to_string(layer) + '.' + part;
  };
  for (size_t j = 0; j < layers.size(); ++j)
    for (const auto part : {&LayerNames::query, &LayerNames::key, &LayerNames::value,
                            &LayerNames::attention_output, &LayerNames::attention_norm,
                            &LayerNames::intermediate, &LayerNames::output, &LayerNames::norm})
      add_pair(names, path(student, static_cast<int64_t>(j), student.layer.*part),
               path(teacher, layers[j], teacher.layer.*part));
}

void add_masked_lm(Names& names, const MaskedLmNames& student, const MaskedLmNames& teacher) {
  for (const auto part : {&MaskedLmNames::dense, &MaskedLmNames::norm, &MaskedLmNames::bias})
    if (student.*part && teacher.*part) add_pair(names, student.*part, teacher.*part);
}

void check_layer(int64_t layer, const ModelConfig& teacher) {
  check(layer >= 0 && layer < teacher.layers(),
        "distill: expected layers of the teacher from 0 to ", teacher.layers() - 1, ", got ",
        layer);
}

void check_layers_fit(const ModelConfig& student, const ModelConfig& teacher,
                      const std::vector<int64_t>& layers) {
  const auto like_bert = [](const ModelConfig& c) {
    return c.family->body_kind == BodyKind::bert && c.shared.groups == 0;
  };
  check(like_bert(student) && like_bert(teacher), "distill: layers of ", teacher.family->model_type,
        " are no layers of ", student.family->model_type,
        "; expected init_from_teacher \"embeddings\" or \"none\"");
  check(std::ssize(layers) == student.layers(), "distill: the student has ", student.layers(),
        " layers; expected as many of the teacher in init_from_teacher, got ", layers.size());
  for (size_t j = 0; j < layers.size(); ++j) {
    const int64_t layer = layers[j];
    check_layer(layer, teacher);
    const auto l = static_cast<size_t>(layer);
    const bool fits = student.hidden_size == teacher.hidden_size &&
                      student.head_size == teacher.head_size &&
                      student.heads_per_layer[j] == teacher.heads_per_layer[l] &&
                      student.ffn_per_layer[j] == teacher.ffn_per_layer[l];
    check(fits, "distill: layer ", layer, " of the teacher has ", teacher.hidden_size,
          " channels, ", teacher.heads_per_layer[l], " heads of ", teacher.head_size, " and width ",
          teacher.ffn_per_layer[l], ", layer ", j, " of the student ", student.hidden_size, ", ",
          student.heads_per_layer[j], " of ", student.head_size, " and ", student.ffn_per_layer[j],
          "; layers of other sizes cannot be taken over: expected init_from_teacher ",
          "\"embeddings\" or \"none\"");
  }
}

// The rows of the teacher's table for as many positions as the student has, where both differ in
// where they begin; what was given otherwise.
Tensor rows_of_positions(const Tensor& table, const ModelConfig& teacher,
                         const ModelConfig& student) {
  const int64_t skipped = teacher.positions_after_padding && !student.positions_after_padding
                              ? teacher.pad_token_id + 1
                              : 0;
  const int64_t rows = student.max_position_embeddings;
  return skipped + rows <= table.dim(0) ? slice(table, 0, skipped, skipped + rows) : table;
}

// Where shapes agree, copies of the teacher's values by these names; `fresh` ones elsewhere.
ValueSource taken_over(Names names, const Model& teacher, const ModelConfig& student,
                       ValueSource fresh) {
  const Family& family = *student.family;
  const std::string positions =
      path_in(family, std::string(family.embeddings.position) + ".weight");
  return [=, names = std::move(names), fresh = std::move(fresh), &teacher](
             const std::string& name, const Shape& shape, const Initial& initial) {
    const auto at = names.find(name);
    const Parameter* known = at == names.end() ? nullptr : teacher.parameters.find(at->second);
    if (!known) return fresh(name, shape, initial);
    const Tensor value =
        name == positions ? rows_of_positions(known->value, teacher.config, student) : known->value;
    return value.shape() == shape ? clone(on_host(value)) : fresh(name, shape, initial);
  };
}

Model new_student(const StudentOptions& from, const Model& teacher, const Random& random,
                  const std::optional<Heads>& asked) {
  const ModelConfig config = config_of_student(from, teacher.config, asked);
  const Heads heads = asked.value_or(heads_of_student(teacher.config));
  check_trainable_here(config, heads);
  const TeacherInit init = init_of(from);
  Names names;
  if (init.from != TeacherInit::From::nothing)
    add_embeddings(names, *config.family, *teacher.config.family);
  const std::vector<int64_t> layers = chosen_layers(init, teacher.config.layers(), config.layers());
  if (init.from > TeacherInit::From::embeddings) {
    add_layers(names, *config.family, *teacher.config.family, layers);
    add_masked_lm(names, config.family->masked_lm, teacher.config.family->masked_lm);
    if (config.family == teacher.config.family)  // pooler and head, by their own names
      for (const Parameter& p : teacher.parameters)
        if (!p.name.starts_with(path_in(*config.family, config.family->layers)))
          names.emplace(p.name, p.name);
  }
  return Model(config, heads, taken_over(std::move(names), teacher, config, random_values(random)));
}

void check_one_source(const StudentOptions& from) {
  const int sources = !from.folder.empty() + from.architecture.has_value() + !from.preset.empty() +
                      !from.layers_from_teacher.empty();
  check(sources == 1,
        "distill: expected one source of the student (a folder, an architecture, a preset or "
        "layers of the teacher), got ",
        sources);
  const bool is_new = from.architecture || !from.preset.empty();
  check(is_new || !from.init_from_teacher,
        "distill: init_from_teacher is for a preset or an architecture; this student has its "
        "weights from elsewhere");
}

ModelConfig with_layers(ModelConfig config, const std::vector<int64_t>& layers) {
  const ModelConfig teacher = config;
  check(config.shared.groups == 0, "distill: the teacher's layers share their weights; expected a ",
        "student from a folder, an architecture or a preset");
  config.heads_per_layer.clear();
  config.ffn_per_layer.clear();
  for (const int64_t layer : layers) {
    check_layer(layer, teacher);
    config.heads_per_layer.push_back(teacher.heads_per_layer[static_cast<size_t>(layer)]);
    config.ffn_per_layer.push_back(teacher.ffn_per_layer[static_cast<size_t>(layer)]);
  }
  return config;
}

// The folder's own head where it is of the teacher's kind, else a new one; or the heads asked for.
Model student_from_folder(const std::filesystem::path& folder, const Model& teacher,
                          const Random& random, const std::optional<Heads>& asked) {
  if (asked) return load_model(folder, {.heads = asked, .new_heads = true, .random = random});
  const Heads heads = heads_of_student(teacher.config);
  LoadOptions load{.heads = heads, .new_heads = true, .random = random};
  load.labels = teacher.config.labels;
  load.problem_type = problem_type_of(teacher.config);
  const ModelConfig config = ModelConfig::read(folder / "config.json");
  const Heads own = heads_from(*config.family, config.architectures);
  const bool other =
      (own.classification || own.choice || own.tagging) && own.tagging != heads.tagging;
  return other ? with_new_heads(folder, load, heads) : load_model(folder, load);
}

// The layers in this order; `others` gives heads that the teacher does not have.
Model model_from_layers(const Model& teacher, const std::vector<int64_t>& layers,
                        const Heads& heads, const ValueSource& others) {
  ModelConfig config = with_layers(teacher.config, layers);
  const ValueSource copies = copies_of(teacher.parameters);
  const std::string path = path_in(*config.family, config.family->layers) + '.';
  return Model(std::move(config), heads,
               [&](const std::string& name, const Shape& shape, const Initial& initial) {
                 if (!name.starts_with(path))
                   return (teacher.parameters.find(name) ? copies : others)(name, shape, initial);
                 size_t digits = 0;
                 const auto layer = std::stoul(name.substr(path.size()), &digits);
                 const std::string rest = name.substr(path.size() + digits);
                 return copies(path + std::to_string(layers[layer]) + rest, shape, initial);
               });
}

}  // namespace

Heads heads_of_student(const ModelConfig& teacher) {
  const bool spans = finds_spans(teacher), tags = tags_tokens(teacher);
  return {.classification = !tags && !spans, .tagging = tags, .span = spans};
}

TeacherInit init_of(const StudentOptions& from) {
  using From = TeacherInit::From;
  return from.init_from_teacher.value_or(
      TeacherInit{.from = from.preset.empty() ? From::nothing : From::embeddings});
}

std::vector<int64_t> chosen_layers(const TeacherInit& init, int64_t teacher, int64_t student) {
  using From = TeacherInit::From;
  if (init.from == From::listed) return init.layers;
  std::vector<int64_t> layers;
  if (init.from == From::nothing || init.from == From::embeddings) return layers;
  check(student <= teacher, "distill: the student has ", student, " layers, the teacher ", teacher,
        "; expected a list of layers in init_from_teacher, some of them twice");
  for (int64_t j = 0; j < student; ++j)
    layers.push_back(init.from == From::uniform ? j * teacher / student
                     : init.from == From::first ? j
                                                : teacher - student + j);
  return layers;
}

Model model_from_layers(const Model& teacher, const std::vector<int64_t>& layers) {
  return model_from_layers(teacher, layers, teacher.heads, copies_of(teacher.parameters));
}

ModelConfig config_of_student(const StudentOptions& from, const ModelConfig& teacher,
                              const std::optional<Heads>& heads) {
  check_one_source(from);
  if (!from.layers_from_teacher.empty()) return with_layers(teacher, from.layers_from_teacher);
  ModelConfig config = !from.folder.empty() ? ModelConfig::read(from.folder / "config.json")
                       : from.architecture  ? *from.architecture
                                            : student_config(student_preset(from.preset), teacher);
  if (from.folder.empty() && init_of(from).from > TeacherInit::From::embeddings)
    check_layers_fit(config, teacher,
                     chosen_layers(init_of(from), teacher.layers(), config.layers()));
  if (heads) return config;
  config.labels = teacher.labels;
  config.problem_type = problem_type_of(teacher);
  return config;
}

int64_t longest_sequence(const StudentOptions& from,
                         const std::vector<std::filesystem::path>& teachers) {
  const auto config_in = [](const std::filesystem::path& folder) {
    return ModelConfig::read(folder / "config.json");
  };
  int64_t longest = config_of_student(from, config_in(teachers.front())).longest();
  for (const std::filesystem::path& folder : teachers)
    longest = std::min(longest, config_in(folder).longest());
  return longest;
}

Model make_student(const StudentOptions& from, const Model& teacher, const Random& random,
                   const std::optional<Heads>& heads) {
  check_one_source(from);
  if (!from.layers_from_teacher.empty())
    return model_from_layers(teacher, from.layers_from_teacher, heads.value_or(teacher.heads),
                             random_values(random));
  if (from.folder.empty()) return new_student(from, teacher, random, heads);
  return student_from_folder(from.folder, teacher, random, heads);
}

}  // namespace ink
