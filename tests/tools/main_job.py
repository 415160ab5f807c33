"""The main job through a client that was generated from the API's document: a plan, a tenant, a sign-in, a project, an activation.

Waits for the one-time password on standard input. Prints `activated` at the end.
"""

import os
import sys

from tenantry_client import AuthenticatedClient, Client
from tenantry_client.api.activation import activate_a_project
from tenantry_client.api.plans import make_a_plan
from tenantry_client.api.projects import create_a_project, list_projects
from tenantry_client.api.sign_in import ask_for_a_one_time_password, sign_in
from tenantry_client.api.tenants import create_a_tenant
from tenantry_client.models import (
    Activate,
    Challenge,
    CreatedTenant,
    GenerateOtp,
    NewPlan,
    NewProject,
    NewTenant,
    Plan,
    Problem,
    Project,
    ProjectList,
    ProjectStatus,
    SignedIn,
    VerifyOtp,
)

base = os.environ["BASE_URL"]
operator = AuthenticatedClient(base_url=base, token=os.environ["OPERATOR_KEY"])
anybody = Client(base_url=base)

plan = make_a_plan.sync(client=operator, body=NewPlan(name="Generated", monthly_run_quota=20))
assert isinstance(plan, Plan), plan
new = NewTenant(slug="generated", name="Generated", contact_email="generated@tenant.example", plan_id=plan.id)
tenant = create_a_tenant.sync(client=operator, body=new)
assert isinstance(tenant, CreatedTenant), tenant
assert len(tenant.activation_codes) == 2 and not tenant.warnings, tenant
code = tenant.activation_codes[0]

challenge = ask_for_a_one_time_password.sync(client=anybody, body=GenerateOtp(tenant_slug="generated"))
assert isinstance(challenge, Challenge), challenge
otp = sys.stdin.readline().strip()
wrong = sign_in.sync(client=anybody, body=VerifyOtp(challenge_id=challenge.challenge_id, otp_code="not it"))
assert isinstance(wrong, Problem) and wrong.code == "invalid_otp", wrong
session = sign_in.sync(client=anybody, body=VerifyOtp(challenge_id=challenge.challenge_id, otp_code=otp))
assert isinstance(session, SignedIn), session

signed_in = AuthenticatedClient(base_url=base, token=session.session_token)
project = create_a_project.sync(client=signed_in, body=NewProject(client_name="Globex"))
assert isinstance(project, Project) and project.project_status == ProjectStatus.PENDING, project
for _ in range(2):
    active = activate_a_project.sync(project.id, client=signed_in, body=Activate(code=code.code))
    assert isinstance(active, Project), active
    assert active.project_status == ProjectStatus.ACTIVE and active.activation_code_id == code.id, active
other = create_a_project.sync(client=signed_in, body=NewProject(client_name="Initech"))
assert isinstance(other, Project), other
spent = activate_a_project.sync(other.id, client=signed_in, body=Activate(code=code.code))
assert isinstance(spent, Problem) and spent.code == "code_exhausted", spent
listed = list_projects.sync(client=signed_in)
assert isinstance(listed, ProjectList) and [item.id for item in listed.items] == [other.id, project.id], listed
print("activated")
