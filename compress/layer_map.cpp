// The rules, and matches made by them.
#include "compress/layer_map.h"

#include <vector>

#include "tensor/error.h"
#include "tensor/keys.h"

namespace ink {
namespace {

int64_t uniform(int64_t layer, int64_t teacher, int64_t student) {
  return layer * teacher / student;
}

int64_t last(int64_t layer, int64_t teacher, int64_t student) {
  check(student <= teacher, "layer_map: last is for a student of at most the teacher's ", teacher,
        " layers, this one has ", student, "; expected uniform");
  return layer == 0 ? 0 : teacher - student + layer;
}

constexpr LayerMap kMaps[] = {{"uniform", uniform}, {"last", last}, {"emd", uniform}};

}  // namespace

std::span<const LayerMap> layer_maps() { return kMaps; }

const LayerMap& layer_map(const std::string& name) {
  std::vector<std::string_view> names;
  for (const LayerMap& map : kMaps) {
    if (name == map.name) return map;
    names.emplace_back(map.name);
  }
  fail("layer_map: expected ", alternatives(names), ", got ", in_quotes(name));
}

std::vector<IntermediateMatch> mapped_matches(const LayerMap& map, const ModelSize& teacher,
                                              const ModelSize& student, MatchLoss loss,
                                              double weight) {
  std::vector<IntermediateMatch> matches = even_matches(teacher, student, loss, weight);
  for (IntermediateMatch& match : matches)
    match.layer_teacher = match.second_teacher =
        map.teacher_layer(match.layer_student, teacher.layers, student.layers);
  return matches;
}

void match_evenly(DistillationConfig& config, MatchLoss loss, const LayerMap& map,
                  const ModelSize& teacher, const ModelSize& student) {
  check(config.intermediate_matches.empty(),
        "distill: expected either even matches or a list of them, got both");
  config.intermediate_matches = mapped_matches(map, teacher, student, loss);
}

}  // namespace ink
