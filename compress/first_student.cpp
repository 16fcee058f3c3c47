// Students as they begin, and their layer maps.
#include "compress/first_student.h"

#include "compress/map_by_flow.h"

namespace ink {

Model first_student(const DistillOptions& options, const Model& teacher) {
  return make_student(options.student, teacher, Random(options.fit.seed).split("weights"));
}

void choose_layers(const DistillOptions& options, DistillSetup& setup, const Model& teacher,
                   const Model& student) {
  if (!maps_by_flow(options)) return;
  map_by_flow(setup.config.intermediate_matches, teacher, student, setup.data[setup.leading].train);
  check_sizes(setup);
}

}  // namespace ink
