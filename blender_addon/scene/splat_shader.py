"""The GPU's side of splats in the viewport: what is uploaded, and the two shaders.

Owns the layout of textures and uniforms, and the GLSL that reads them. Must not know objects,
windows, or when anything is drawn. The first shader draws each splat's ellipse into a picture of
its own, blended in sRGB as 3DGS trains (Zwicker et al. 2001 for the ellipse); the second lays that
picture over the viewport, which wants linear light.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import gpu
import numpy as np

from .._vendor.glimpse3d.formats import sh
from .._vendor.glimpse3d.types import GaussianCloud

# Texels in a row of a texture; 4096 rows and more are allowed everywhere.
ROW = 4096
# The order is stored as floats, which count exactly up to here.
MOST = 1 << 24
# What viewers of 3DGS add to an ellipse, square pixels: a small splat never falls between pixels.
BLUR = 0.3
_TEXELS = 4  # a splat: place and opacity, covariance, colour of degree 0
_HIGHER_TEXELS = 12  # 15 coefficients of three channels

_VIEW = """
struct View {
  mat4 camera_from_object;
  mat4 clip_from_camera;
  vec4 eye;    // the camera in the object's space; or, w being 0, the direction it looks along
  vec4 scale;  // of the object; the rank of the first splat that is drawn
  vec4 sizes;  // width, height of the picture; blur, square pixels; degree
};
"""


def _band(index: int) -> str:
    """A coefficient's three channels, out of the texels that hold all of them in a row."""
    places = range(3 * index, 3 * index + 3)
    parts = [f"t[{place // 4}].{'xyzw'[place % 4]}" for place in places]
    return f"vec3({', '.join(parts)})"


_HARMONICS = f"""
vec3 view_dependent(int splat, vec3 d, int degree) {{
  vec4 t[{_HIGHER_TEXELS}];
  int needed = degree > 2 ? 12 : degree > 1 ? 6 : 3;
  for (int i = 0; i < needed; i++) {{
    int place = splat * {_HIGHER_TEXELS} + i;
    t[i] = texelFetch(higher, ivec2(place % {ROW}, place / {ROW}), 0);
  }}
  float x = d.x, y = d.y, z = d.z, xx = x * x, yy = y * y, zz = z * z;
  vec3 sum = {sh.C1} * (-y * {_band(0)} + z * {_band(1)} - x * {_band(2)});
  if (degree > 1) {{
    sum += {sh.C2[0]} * x * y * {_band(3)} + {sh.C2[1]} * y * z * {_band(4)}
         + {sh.C2[2]} * (2.0 * zz - xx - yy) * {_band(5)}
         + {sh.C2[3]} * x * z * {_band(6)} + {sh.C2[4]} * (xx - yy) * {_band(7)};
  }}
  if (degree > 2) {{
    sum += {sh.C3[0]} * y * (3.0 * xx - yy) * {_band(8)}
         + {sh.C3[1]} * x * y * z * {_band(9)}
         + {sh.C3[2]} * y * (4.0 * zz - xx - yy) * {_band(10)}
         + {sh.C3[3]} * z * (2.0 * zz - 3.0 * xx - 3.0 * yy) * {_band(11)}
         + {sh.C3[4]} * x * (4.0 * zz - xx - yy) * {_band(12)}
         + {sh.C3[5]} * z * (xx - yy) * {_band(13)}
         + {sh.C3[6]} * x * (xx - 3.0 * yy) * {_band(14)};
  }}
  return sum;
}}
"""

_SPLAT_VERTEX = (
    _HARMONICS
    + f"""
vec4 texel(int splat, int index) {{
  int place = splat * {_TEXELS} + index;
  return texelFetch(splats, ivec2(place % {ROW}, place / {ROW}), 0);
}}
void main() {{
  int rank = gl_InstanceID + int(view.scale.w + 0.5);
  int splat = int(texelFetch(order, ivec2(rank % {ROW}, rank / {ROW}), 0).r + 0.5);
  vec4 place = texel(splat, 0), first = texel(splat, 1), second = texel(splat, 2);
  vec4 rest = texel(splat, 3);
  vec4 p = view.camera_from_object * vec4(place.xyz, 1.0);
  vec4 clip = view.clip_from_camera * p;
  gl_Position = vec4(0.0, 0.0, 2.0, 1.0);  // outside, for what is not drawn
  bool perspective = view.clip_from_camera[3][3] == 0.0;
  if (place.w < 1.0 / 255.0 || abs(clip.z) > clip.w) {{ return; }}

  mat3 sigma = mat3(first.x, first.y, first.z, first.y, first.w, second.x,
                    first.z, second.x, second.y);
  mat3 turn = mat3(view.camera_from_object);
  mat3 seen = turn * sigma * transpose(turn);
  vec2 size = view.sizes.xy;
  vec2 focal = 0.5 * size * vec2(view.clip_from_camera[0][0], view.clip_from_camera[1][1]);
  mat3 jacobian;  // its columns are what a pixel's x and y gain by a step of the splat's middle
  if (perspective) {{
    vec2 most = 0.65 * size / focal;
    vec2 slope = clamp(p.xy / -p.z, -most, most);
    jacobian = mat3(vec3(focal.x, 0.0, focal.x * slope.x),
                    vec3(0.0, focal.y, focal.y * slope.y), vec3(0.0));
    jacobian[0] /= -p.z;
    jacobian[1] /= -p.z;
  }} else {{
    jacobian = mat3(vec3(focal.x, 0.0, 0.0), vec3(0.0, focal.y, 0.0), vec3(0.0));
  }}
  float a = dot(jacobian[0], seen * jacobian[0]) + view.sizes.z;
  float b = dot(jacobian[0], seen * jacobian[1]);
  float c = dot(jacobian[1], seen * jacobian[1]) + view.sizes.z;

  float middle = 0.5 * (a + c);
  float apart = sqrt(max(0.25 * (a - c) * (a - c) + b * b, 0.0));
  float longest = middle + apart, shortest = max((a * c - b * b) / max(longest, 1e-20), 1e-12);
  vec2 along = abs(b) > 1e-9 * longest ? normalize(vec2(b, longest - a))
             : (a >= c ? vec2(1.0, 0.0) : vec2(0.0, 1.0));
  float reach = sqrt(2.0 * log(255.0 * place.w));
  vec2 pixels = corner.x * reach * sqrt(longest) * along
              + corner.y * reach * sqrt(shortest) * vec2(-along.y, along.x);
  offset = corner * reach;

  vec3 seen_color = {sh.C0} * vec3(second.z, second.w, rest.x) + 0.5;
  int degree = int(view.sizes.w);
  if (degree > 0) {{
    vec3 away = view.eye.w > 0.5 ? place.xyz - view.eye.xyz : view.eye.xyz;
    seen_color += view_dependent(splat, normalize(away * view.scale.xyz), degree);
  }}
  color = vec4(max(seen_color, 0.0), place.w);
  gl_Position = vec4(clip.xy / clip.w + 2.0 * pixels / size, clip.z / clip.w, 1.0);
}}
"""
)

_SPLAT_FRAGMENT = """
void main() {
  float alpha = min(color.a * exp(-0.5 * dot(offset, offset)), 0.999);
  alpha *= step(1.0 / 255.0, alpha);  // to discard it takes longer than to add nothing
  result = vec4(color.rgb * alpha, alpha);
}
"""

_OVER_VERTEX = """
void main() { gl_Position = vec4(corner, 0.0, 1.0); }
"""

_OVER_FRAGMENT = """
void main() {
  vec4 seen = texelFetch(drawn, ivec2(gl_FragCoord.xy - origin.xy), 0);
  if (seen.a <= 0.0) { discard; }
  vec3 display = max(seen.rgb / seen.a, 0.0);
  vec3 bright = pow((display + 0.055) / 1.055, vec3(2.4));
  vec3 light = mix(display / 12.92, bright, step(0.04045, display));
  result = vec4(light * seen.a, seen.a);
}
"""


class Shaders(NamedTuple):
    """Compiled once; ``corners`` is the square that both draw."""

    splat: Any
    over: Any
    corners: Any


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A cloud on the GPU."""

    splats: Any
    higher: Any
    degree: int
    count: int


def compile_shaders() -> Shaders:
    """Needs a GPU context: a window, or ``gpu.init`` where there is that."""
    splat = gpu.types.GPUShaderCreateInfo()
    splat.typedef_source(_VIEW)
    splat.uniform_buf(0, "View", "view")
    for slot, name in enumerate(("splats", "order", "higher")):
        splat.sampler(slot, "FLOAT_2D", name)
    splat.vertex_in(0, "VEC2", "corner")
    passed = gpu.types.GPUStageInterfaceInfo("glimpse3d_splat")
    passed.smooth("VEC2", "offset")
    passed.flat("VEC4", "color")
    splat.vertex_out(passed)
    splat.fragment_out(0, "VEC4", "result")
    splat.vertex_source(_SPLAT_VERTEX)
    splat.fragment_source(_SPLAT_FRAGMENT)
    over = gpu.types.GPUShaderCreateInfo()
    over.sampler(0, "FLOAT_2D", "drawn")
    over.push_constant("VEC4", "origin")
    over.vertex_in(0, "VEC2", "corner")
    over.fragment_out(0, "VEC4", "result")
    over.vertex_source(_OVER_VERTEX)
    over.fragment_source(_OVER_FRAGMENT)
    layout = gpu.types.GPUVertFormat()
    layout.attr_add(id="corner", comp_type="F32", len=2, fetch_mode="FLOAT")
    vertices = gpu.types.GPUVertBuf(layout, 4)
    vertices.attr_fill("corner", [(-1, -1), (1, -1), (-1, 1), (1, 1)])
    corners = gpu.types.GPUBatch(type="TRI_STRIP", buf=vertices)
    create = gpu.shader.create_from_info
    return Shaders(create(splat), create(over), corners)


def upload(cloud: GaussianCloud) -> Uploaded:
    """Put a cloud on the GPU; of more than ``MOST`` splats the first ones."""
    count = min(len(cloud), MOST)
    rows = packed(cloud, count)
    higher = np.zeros((1, 4), np.float32)
    if cloud.sh_degree:
        higher = np.zeros((count, _HIGHER_TEXELS * 4), np.float32)
        known = 3 * (cloud.sh.shape[1] - 1)
        higher[:, :known] = cloud.sh[:count, 1:].reshape(count, known)
    return Uploaded(
        texture(rows, 4, "RGBA32F"), texture(higher, 4, "RGBA16F"), cloud.sh_degree, count
    )


def packed(cloud: GaussianCloud, count: int) -> np.ndarray:
    """(count, 16) float32: place, opacity, covariance, colour of degree 0, as the shader reads."""
    rows = np.zeros((count, 4 * _TEXELS), np.float32)
    rows[:, 0:3] = cloud.means[:count]
    rows[:, 3] = cloud.opacities[:count]
    w, x, y, z = cloud.rotations[:count].T
    sx, sy, sz = cloud.scales[:count].T
    # The rows of the rotation times the sizes: covariance = axes @ axes.T
    axes = (
        ((1 - 2 * (y * y + z * z)) * sx, 2 * (x * y - w * z) * sy, 2 * (x * z + w * y) * sz),
        (2 * (x * y + w * z) * sx, (1 - 2 * (x * x + z * z)) * sy, 2 * (y * z - w * x) * sz),
        (2 * (x * z - w * y) * sx, 2 * (y * z + w * x) * sy, (1 - 2 * (x * x + y * y)) * sz),
    )
    pairs = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
    for column, (i, j) in enumerate(pairs, 4):
        a, b = axes[i], axes[j]
        rows[:, column] = a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
    rows[:, 10:13] = cloud.sh[:count, 0]
    return rows


def texture(values: np.ndarray, channels: int, layout: str) -> Any:
    """Values of any shape, texel after texel, in rows of ``ROW``."""
    flat = np.ascontiguousarray(values, np.float32).reshape(-1)
    height = max(1, -(-len(flat) // (channels * ROW)))
    whole = np.zeros(height * ROW * channels, np.float32)
    whole[: len(flat)] = flat
    buffer = gpu.types.Buffer("FLOAT", len(whole), whole)
    return gpu.types.GPUTexture((ROW, height), format=layout, data=buffer)


def view_block(
    camera_from_object: np.ndarray,
    clip_from_camera: np.ndarray,
    sizes: tuple[float, ...],
    first: int = 0,
) -> Any:
    """What the splat shader is told of the view; both matrices (4, 4), as they multiply columns.

    ``first`` is the place in the order of the first splat that is drawn.
    """
    object_from_camera = np.linalg.inv(camera_from_object)
    perspective = clip_from_camera[3, 3] == 0
    eye = object_from_camera[:, 3] if perspective else -object_from_camera[:, 2]
    scale = np.full(4, first, np.float64)
    scale[:3] = np.linalg.norm(camera_from_object[:3, :3], axis=0)
    parts = (camera_from_object.T, clip_from_camera.T, eye, scale, sizes)
    flat = np.concatenate([np.ravel(part) for part in parts]).astype(np.float32)
    return gpu.types.GPUUniformBuf(gpu.types.Buffer("FLOAT", len(flat), flat))
