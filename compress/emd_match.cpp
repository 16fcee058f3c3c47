// Layers matched by transport, from and to JSON, and checked against two models.
#include "compress/emd_match.h"

#include "tensor/error.h"
#include "tensor/keys.h"

namespace ink {

std::string EmdMatch::name() const { return std::string("emd_") + name_of(pair.loss); }

IntermediateMatch EmdMatch::between(int64_t student, int64_t teacher) const {
  IntermediateMatch match = pair;
  match.layer_student = match.second_student = student;
  match.layer_teacher = match.second_teacher = teacher;
  return match;
}

EmdMatch emd_from_json(const Json& json) {
  check_keys(json, {"feature", "loss", "weight", "proj", "attention", "relation_heads",
                    "cost_attention", "cost_temperature"});
  EmdMatch match;
  read_comparison(json, match.pair);
  match.cost_attention = json.boolean("cost_attention", false);
  match.cost_temperature = json.real("cost_temperature", 1);
  check(match.cost_temperature > 0, "", json.where("cost_temperature"),
        ": expected more than 0, got ", match.cost_temperature);
  check(match.cost_attention || !json.has("cost_temperature"), "", json.where("cost_temperature"),
        ": expected with \"cost_attention\" only");
  return match;
}

Json emd_to_json(const EmdMatch& match) {
  Json json = Json::make_object();
  write_comparison(match.pair, json);
  json.set("cost_attention", match.cost_attention);
  if (match.cost_attention) json.set("cost_temperature", match.cost_temperature);
  return json;
}

std::vector<EmdMatch> emds_from_json(const Json& object, std::string_view key) {
  std::vector<EmdMatch> all;
  const Json* value = object.find(key);
  if (!value || value->is_null()) return all;
  if (!value->is_array()) return {emd_from_json(object.object(key))};
  for (const Json& item : value->items()) all.push_back(emd_from_json(item));
  return all;
}

void settle_emd(EmdMatch& match, const ModelSize& teacher, const ModelSize& student) {
  check(teacher.layers > 0 && student.layers > 0,
        "distill: emd carries weights between layers; expected models with layers, the student "
        "has ",
        student.layers, ", the teacher ", teacher.layers);
  std::vector<IntermediateMatch> all;
  if (match.compares_embeddings()) all.push_back(match.between(0, 0));
  for (int64_t i = 1; i <= student.layers; ++i)
    for (int64_t j = 1; j <= teacher.layers; ++j) all.push_back(match.between(i, j));
  check_matches(all, teacher, student);
  match.teacher_layers = teacher.layers;
  match.student_layers = student.layers;
}

}  // namespace ink
