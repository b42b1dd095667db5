# Pods of training gangs. From the root: make images, or
# docker build --file docker/trainer.Dockerfile .
#
# BASE         Debian or Ubuntu, whose python3 is 3.11 or newer
# TORCH_INDEX  index that has the build of PyTorch for the accelerator; the default is for CPUs
# wheels       build context with a folder of wheels that pip looks into first; empty by default
#
# pip comes from the stage `tools` and stays there. Layers go from what changes least to our own
# code, so that an upgrade moves a small one.
ARG BASE=docker.io/library/debian:bookworm-slim

FROM scratch AS wheels

FROM ${BASE} AS python
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log /var/cache/ldconfig/aux-cache
RUN groupadd --gid 65532 lccp \
    && useradd --uid 65532 --gid lccp --no-create-home --home-dir /tmp --shell /usr/sbin/nologin lccp
RUN python3 -m venv --without-pip /opt/lccp
COPY requirements-dev.lock /opt/lccp/

FROM python AS tools
RUN apt-get update && apt-get install --yes --no-install-recommends python3-venv
RUN python3 -m venv /tools
ENV PIP_CONSTRAINT=/opt/lccp/requirements-dev.lock PIP_NO_CACHE_DIR=1
RUN --mount=type=bind,from=wheels,target=/wheels /tools/bin/pip install --find-links /wheels \
    --upgrade "pip>=26" setuptools

FROM tools AS own
COPY . /src
RUN /tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheel /src \
    && /tools/bin/pip --python /opt/lccp/bin/python install --no-deps --root /own /wheel/*.whl

FROM python
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN --mount=type=bind,from=wheels,target=/wheels --mount=type=bind,from=tools,source=/tools,target=/tools \
    pip="/tools/bin/pip --python /opt/lccp/bin/python install --no-cache-dir --no-deps" \
    torch=$(grep ^torch== /opt/lccp/requirements-dev.lock); \
    $pip --no-index --find-links /wheels "$torch" || $pip --index-url "$TORCH_INDEX" "$torch"
# DeepSpeed compiles its ops with ninja; the image has no compiler, and the trainer needs none of them.
COPY docker/trainer.lock /opt/lccp/
RUN --mount=type=bind,from=wheels,target=/wheels --mount=type=bind,from=tools,source=/tools,target=/tools \
    pip="/tools/bin/pip --python /opt/lccp/bin/python"; \
    $pip install --no-cache-dir --find-links /wheels --constraint /opt/lccp/requirements-dev.lock \
        --requirement /opt/lccp/trainer.lock \
    && $pip uninstall --yes ninja
COPY examples/tiny/model /opt/lccp/examples/tiny/model
COPY examples/tiny/data /opt/lccp/examples/tiny/data
COPY --from=own /own/opt/lccp /opt/lccp
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="lccp-trainer" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/lccp/bin:/usr/local/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 65532:65532
CMD ["lccp-train"]
