// Where a volume's voxels lie in the head, and how its slices are turned upright: the twin of
// serve/formats/space.py, which says what it does. An affine is a list of four rows.

const [SAGITTAL, CORONAL, AXIAL] = [0, 1, 2];

/** How slices are cut: {shape, axes, flips, spacing}; shape is of the first three axes. */
export function spaceOf(shape, affine, direction) {
  const { axisOf, backwards } = orientation(affine);
  const [down, across] = [AXIAL, CORONAL, SAGITTAL].filter((one) => one !== direction);
  const axes = [axisOf[direction], axisOf[down], axisOf[across]];
  const steps = [0, 1, 2].map((axis) => length(column(affine, axis)));
  return {
    shape,
    axes,
    flips: [backwards[axes[0]], !backwards[axes[1]], !backwards[axes[2]]],
    spacing: [steps[axes[1]], steps[axes[2]]],
  };
}

/** The direction of the head that an axis of the array follows best. */
export function directionOf(affine, axis) {
  return orientation(affine).axisOf.indexOf(axis);
}

/** The direction whose slices have the smallest pixels; axial where they are all alike. */
export function finest(shape, affine) {
  const area = (direction) => {
    const space = spaceOf(shape, affine, direction);
    if (shape[space.axes[1]] === 1 || shape[space.axes[2]] === 1) return Infinity;
    return Math.round(10 * Math.log(space.spacing[0] * space.spacing[1])) / 10;
  };
  return [AXIAL, CORONAL, SAGITTAL].reduce((best, one) => (area(one) < area(best) ? one : best));
}

/** Slice `index`, as {data, width, height}; `voxel(i)` is the i-th, the first axis fastest. */
export function cut({ shape, axes, flips }, voxel, index) {
  const [over, down, across] = axes;
  const strides = [1, shape[0], shape[0] * shape[1]];
  const [height, width] = [shape[down], shape[across]];
  const start = strides[over] * (flips[0] ? shape[over] - 1 - index : index);
  const data = new Float64Array(width * height);
  for (let y = 0; y < height; y++) {
    const row = start + strides[down] * (flips[1] ? height - 1 - y : y);
    for (let x = 0; x < width; x++) {
      data[y * width + x] = voxel(row + strides[across] * (flips[2] ? width - 1 - x : x));
    }
  }
  return { data, width, height };
}

function orientation(affine) {
  const cosines = [0, 1, 2].map((row) =>
    [0, 1, 2].map((axis) => {
      const step = length(column(affine, axis));
      return step > 0 ? affine[row][axis] / step : 0;
    }),
  );
  const left = cosines.map((row) => row.map(Math.abs));
  const axisOf = [0, 0, 0];
  for (let turn = 0; turn < 3; turn++) {
    let [direction, axis] = [0, 0];
    for (let row = 0; row < 3; row++)
      for (let one = 0; one < 3; one++)
        if (left[row][one] > left[direction][axis]) [direction, axis] = [row, one];
    axisOf[direction] = axis;
    left[direction].fill(-1);
    for (const row of left) row[axis] = -1;
  }
  const backwards = [0, 1, 2].map((axis) => cosines[axisOf.indexOf(axis)][axis] < 0);
  return { axisOf, backwards };
}

function column(affine, axis) {
  return [0, 1, 2].map((row) => affine[row][axis]);
}

function length(vector) {
  return Math.hypot(...vector);
}
